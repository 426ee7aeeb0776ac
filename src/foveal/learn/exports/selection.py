"""Which exercises a teacher means."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.errors import UsageError
from foveal.learn.drills import TEMPLATES, Template, templates_of
from foveal.learn.exercise import Exercise
from foveal.learn.quiz import PREFIX, QUESTIONS, find_question, questions_of
from foveal.learn.topics import find_topic
from foveal.text import near_names, printable


def names_of(what: Sequence[str], own: Sequence[Template] | None = None) -> tuple[str, ...]:
    """Returns the names of drills and questions, each once.

    Args:
        what: Numbers of topics, names of drills, names of questions such as ``"quiz:15-2"``;
            nothing means everything.
        own: Drills made from a network; there are no others then, and no questions.

    Raises:
        UsageError: Something is none of these, or nothing is left.
    """
    drills = TEMPLATES if own is None else own
    if not what:
        questions = QUESTIONS if own is None else ()
        return (*(each.name for each in drills), *(each.template for each in questions))
    names: list[str] = []
    for word in what:
        if word.isdecimal() and word.isascii():
            names += _names_of_topic(int(word), own)
        elif word in {each.name for each in drills}:
            names.append(word)
        elif own is None and word.startswith(PREFIX):
            names.append(find_question(word).template)
        else:
            near = near_names(word, [each.name for each in drills])
            raise UsageError(
                f"got {printable(word)!r}, expected the number of a topic, the name of a drill, "
                "or of a question such as quiz:15-2.",
                next_step=f"Did you mean {' or '.join(near)}?"
                if near
                else "`foveal learn drill --list` names the drills.",
            )
    return tuple(dict.fromkeys(names))


def _names_of_topic(number: int, own: Sequence[Template] | None) -> list[str]:
    find_topic(number)
    if own is not None:
        names = [each.name for each in own if number in (each.topic, *each.also_topics)]
        if not names:
            raise UsageError(
                f"the drills of this network have none on topic {number}.",
                next_step=f"They are {', '.join(each.name for each in own)}.",
            )
        return names
    asked = [each.template for each in questions_of(number)]
    return [*(each.name for each in templates_of(number)), *asked]


def exercises_of(
    names: Sequence[str],
    *,
    level: int,
    count: int,
    first_seed: int,
    own: Sequence[Template] | None = None,
) -> tuple[Exercise, ...]:
    """Returns ``count`` variants of each drill, and each question once."""
    drills = {each.name: each for each in (TEMPLATES if own is None else own)}
    exercises: list[Exercise] = []
    for name in names:
        if name in drills:
            seeds = range(first_seed, first_seed + count)
            exercises += [drills[name].exercise(seed, level) for seed in seeds]
        else:
            exercises.append(find_question(name))
    return tuple(exercises)
