"""A drill as multiple choice: the mistakes are the distractors."""

from __future__ import annotations

from dataclasses import replace

from foveal.learn.answers import spell
from foveal.learn.drills.chance import Chance
from foveal.learn.exercise import Choice, Exercise, Field, Mistake

MAX_CHOICES = 5
_LETTERS = "abcde"
_KINDS = ("integer", "number", "shape")


def as_multiple_choice(exercise: Exercise) -> Exercise:
    """Returns the exercise with its blanks turned into choices, each mistake a distractor.

    The order depends only on the exercise. Blanks that are choices already, or that know no
    mistake, stay as they are. Later blanks no longer follow from earlier ones, since what is
    chosen is a letter.
    """
    chance = Chance(f"choices/{exercise.template}/{exercise.level}/{exercise.seed}")
    fields = tuple(_chosen(field, chance) for field in exercise.fields)
    return replace(exercise, fields=fields)


def _chosen(field: Field, chance: Chance) -> Field:
    if field.kind not in _KINDS or not field.mistakes:
        return field
    known = chance.several(field.mistakes, MAX_CHOICES - 1)
    entries: tuple[Mistake | None, ...] = chance.shuffled((None, *known))
    choices = []
    mistakes = []
    answer = ""
    for letter, mistake in zip(_LETTERS, entries, strict=False):
        if mistake is None:
            answer = letter
            choices.append(Choice(letter, spell(field.answer, field.unit)))
            continue
        text = spell(mistake.value, field.unit)
        choices.append(Choice(letter, text, mistake.feedback, mistake.code))
        mistakes.append(replace(mistake, value=letter, follow=""))
    return replace(
        field,
        kind="choice",
        answer=answer,
        choices=tuple(choices),
        mistakes=tuple(mistakes),
        unit="",
        tolerance=0.0,
        follow="",
        also=(),
    )
