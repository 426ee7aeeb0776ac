"""For teachers: exercises as Anki, Moodle XML, GIFT, QTI, PrairieLearn and on paper.

Whatever the format, an answer is marked there as it is marked here: the right values with
their tolerance, then every named mistake with its feedback, in that order (``rules``). A
format that marks each blank by itself cannot go on from the learner's own earlier value, so
there each blank is a question of its own (``questions``); PrairieLearn asks Foveal itself.
"""
