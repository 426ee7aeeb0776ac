"""Marks answers: right, a mistake that is known by name, or wrong; and where it began.

The value of a later blank is marked from the learner's own earlier value. Somebody who went
wrong once and then went on rightly has one thing to mend, not four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from foveal.learn.answers import Unreadable, equal, read, spell
from foveal.learn.exercise import Exercise, Field, Mistake, Value
from foveal.learn.formula import FormulaError, evaluate, pretty
from foveal.learn.mistakes import mistake_kind

Verdict = Literal[
    "right",
    "follows",  # right from the learner's own earlier value, which was wrong
    "mistake",  # equal to what one gets with a mistake that is known by name
    "wrong",
    "unreadable",
    "empty",
    "open",  # to be marked by the learner with the checklist
]


@dataclass(frozen=True, slots=True)
class FieldMark:
    """One blank, marked.

    Attributes:
        key: The field's key.
        verdict: See ``Verdict``.
        given: What was read; None where nothing could be.
        expected: The right value.
        expected_here: The right value from the learner's own earlier values; the same as
            ``expected`` where those were right.
        mistake: The mistake that was made, if it is known; its value and feedback are those
            that it has from the learner's own earlier values.
        step: The worked step where it goes wrong; None where it does not.
        message: What to tell the learner.
    """

    key: str
    verdict: Verdict
    given: Value | None
    expected: Value
    expected_here: Value
    mistake: Mistake | None
    step: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Marked:
    """An exercise, marked.

    Attributes:
        fields: One mark for each blank, in their order.
    """

    fields: tuple[FieldMark, ...]

    @property
    def is_right(self) -> bool:
        """Whether every blank is right; open ones are left to the learner."""
        return all(mark.verdict in ("right", "open") for mark in self.fields)

    @property
    def is_readable(self) -> bool:
        """Whether everything could be read; otherwise ask again, it is no wrong answer."""
        return all(mark.verdict not in ("unreadable", "empty") for mark in self.fields)

    @property
    def first_wrong(self) -> FieldMark | None:
        """The blank where it first goes wrong."""
        return next((m for m in self.fields if m.verdict in ("mistake", "wrong")), None)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """Codes of the mistakes made, in order, each once."""
        return tuple(dict.fromkeys(m.mistake.code for m in self.fields if m.mistake is not None))

    @property
    def score(self) -> float:
        """Share of the blanks that are right, or right from the learner's own earlier value."""
        counted = [mark for mark in self.fields if mark.verdict != "open"]
        good = sum(mark.verdict in ("right", "follows") for mark in counted)
        return good / len(counted) if counted else 1.0


def mark(exercise: Exercise, answers: Mapping[str, str] | str) -> Marked:
    """Marks what was typed into the blanks.

    Args:
        exercise: The exercise.
        answers: Text by field key; a blank that is missing is empty. A single string answers
            an exercise that has one blank.

    Returns:
        One mark for each blank.
    """
    if isinstance(answers, str):
        answers = {exercise.fields[0].key: answers}
    values: dict[str, Value] = {}
    strayed: set[str] = set()
    marks = []
    for field in exercise.fields:
        found = _mark_field(field, answers.get(field.key, ""), values, strayed)
        marks.append(found)
        # An empty blank is taken as right, so that what comes after it can be marked.
        usable = found.given is not None and found.verdict != "open"
        values[field.key] = found.given if usable and found.given is not None else field.answer
        if usable and not equal(field, values[field.key], field.answer):
            strayed.add(field.key)
    return Marked(tuple(marks))


def _mark_field(
    field: Field, text: str, values: Mapping[str, Value], strayed: set[str]
) -> FieldMark:
    here = _from_own_values(field.follow, values, field.answer) if strayed else field.answer
    plain = FieldMark(field.key, "right", None, field.answer, here, None, None, "")
    if not text.strip():
        return replace(plain, verdict="empty", message="Nothing was entered.")
    given = read(field, text)
    if isinstance(given, Unreadable):
        return replace(plain, verdict="unreadable", message=given.reason)
    plain = replace(plain, given=given)
    if field.kind == "open":
        return replace(plain, verdict="open", message="Compare it with the checklist.")
    if any(equal(field, given, right) for right in (field.answer, *field.also)):
        return replace(plain, message=f"{spell(field.answer, field.unit)} is right.")
    if strayed and equal(field, given, here):
        return replace(
            plain,
            verdict="follows",
            message=f"{spell(given, field.unit)} is right from your own earlier value; "
            f"with the right one it is {spell(field.answer, field.unit)}.",
        )
    mistake = _known(field, given, here, values if strayed else {})
    if mistake is not None:
        return replace(
            plain, verdict="mistake", mistake=mistake, step=mistake.step, message=mistake.feedback
        )
    choice = next((c for c in field.choices if c.key == given and c.feedback), None)
    told = f"{spell(given, field.unit)} is not right."
    return replace(
        plain,
        verdict="wrong",
        step=field.step,
        message=told if choice is None else choice.feedback,
    )


def _known(
    field: Field, given: Value, here: Value, own_values: Mapping[str, Value]
) -> Mistake | None:
    """Returns the mistake that leads to what was given, from the learner's own values first."""
    found = [
        replace(each, value=value, feedback=_told(each, value, own_values))
        for each in field.mistakes
        if own_values
        and each.follow
        and not equal(field, value := _from_own_values(each.follow, own_values, here), here)
    ]
    found += field.mistakes
    exact = (each for each in found if equal(field, given, each.value))
    rounded = (each for each in found if _rounded(field, given, each.value))
    return next(exact, next(rounded, None))


def _told(mistake: Mistake, value: Value, own_values: Mapping[str, Value]) -> str:
    """Returns the feedback with the learner's own numbers."""
    if value == mistake.value:
        return mistake.feedback
    kind = mistake_kind(mistake.code)
    way = f"{pretty(mistake.follow, own_values)} = {spell(value)}"
    return f"It looks like {kind.title}: {way}. {kind.sentence}"


def _rounded(field: Field, given: Value, value: Value) -> bool:
    """Returns whether a rounded form of a mistake's value was given: 503 for 503.04."""
    if isinstance(given, bool | str | tuple) or isinstance(value, bool | str | tuple):
        return False
    if field.kind == "number":
        return math.isclose(given, value, rel_tol=0.01)
    return isinstance(value, float) and given in (math.floor(value), math.ceil(value))


def _from_own_values(formula: str, values: Mapping[str, Value], otherwise: Value) -> Value:
    if not formula:
        return otherwise
    try:
        return evaluate(formula, values)
    except FormulaError:
        return otherwise
