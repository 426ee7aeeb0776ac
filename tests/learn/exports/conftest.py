from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from foveal.learn.drills import TEMPLATES
from foveal.learn.exercise import Choice, Exercise, Field, Mistake, Step, Value
from foveal.learn.exports.questions import Question, ask_each_blank
from foveal.learn.marking import FieldMark, mark
from foveal.learn.markup import to_html
from foveal.learn.quiz import QUESTIONS


@dataclass(frozen=True)
class Case:
    """An answer to a question, typed plainly, and how it is marked here."""

    question: Question
    value: Value
    typed: str
    mark: FieldMark

    @property
    def is_right(self) -> bool:
        return self.mark.verdict == "right"

    @property
    def feedback(self) -> str | None:
        """What is to be said to a named mistake; None where there is none."""
        return to_html(self.mark.mistake.feedback) if self.mark.mistake is not None else None

    def is_told(self, feedback: str) -> bool:
        """Whether a named mistake's feedback is what was said, and none where there is none."""
        named = {to_html(mistake.feedback) for mistake in self.question.field.mistakes}
        return feedback == self.feedback if self.feedback is not None else feedback not in named

    @property
    def where(self) -> str:
        return f"{self.question.name}: {self.typed} ({self.mark.verdict})"


def typed(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ("x" if isinstance(value[0], int) else " ").join(map(str, value))
    return value if isinstance(value, str) else repr(value)


def other_answers(field: Field) -> Iterator[Value]:
    """Answers that are neither right nor a mistake's."""
    answer = field.answer
    if isinstance(answer, bool):
        yield not answer
        return
    for mistake in field.mistakes:  # rounded forms are the same mistake
        if isinstance(mistake.value, float):
            yield from (math.floor(mistake.value), math.ceil(mistake.value))
            if field.kind == "number":
                yield from (mistake.value * 1.004, mistake.value * 0.992, mistake.value * 1.02)
    if field.kind == "choice":
        known = {answer, *(mistake.value for mistake in field.mistakes)}
        yield from (choice.key for choice in field.choices if choice.key not in known)
    elif isinstance(answer, int | float):
        yield answer * 7 + 1234
        yield -answer - 0.75 if field.kind == "number" else answer + 99_991
        if field.tolerance:  # inside, at the end, and just outside
            for part in (0.9, 1.2):
                yield from (answer - part * field.tolerance, answer + part * field.tolerance)
    elif isinstance(answer, tuple):
        if isinstance(answer[0], int):
            yield (answer[0] + 7777, *answer[1:])
        else:
            yield (*answer[1:], answer[0])


def cases_of(exercise: Exercise) -> Iterator[Case]:
    for question in ask_each_blank([exercise]).questions:
        field = question.field
        if field.kind == "open":
            continue
        values = [field.answer, *field.also, *(mistake.value for mistake in field.mistakes)]
        for value in (*values, *other_answers(field)):
            # Earlier blanks are left empty, so they count as right.
            found = mark(exercise, {field.key: typed(value)})
            of_field = next(each for each in found.fields if each.key == field.key)
            yield Case(question, value, typed(value), of_field)


def sample() -> tuple[Exercise, ...]:
    """Every drill at one level, and every question."""
    drawn = (t.exercise(index, index % 3 + 1) for index, t in enumerate(TEMPLATES))
    return (*drawn, *QUESTIONS)


@pytest.fixture(scope="session")
def exercises() -> tuple[Exercise, ...]:
    return sample()


@pytest.fixture(scope="session")
def questions(exercises: tuple[Exercise, ...]) -> tuple[Question, ...]:
    return ask_each_blank(exercises).questions


@pytest.fixture(scope="session")
def cases(exercises: tuple[Exercise, ...]) -> tuple[Case, ...]:
    return tuple(case for exercise in exercises for case in cases_of(exercise))


@pytest.fixture(scope="session")
def hostile() -> Exercise:
    name = "`<script>alert(1)</script>` ]]> } = ~ # : \\ \x00 \u202e **{{#x}}**"
    mistake = Mistake("no-floor", 3, 0, f"Mistake of {name}")
    field = Field("n", f"after {name}", "integer", 2, (mistake,))
    other = Field(
        "c", "Which", "choice", "a", choices=(Choice("a", name, name), Choice("b", "b", name))
    )
    steps = (Step(f"Step of {name}"),)
    return Exercise(
        "made", 0, 1, 2, "sizes", f"Layer {name}\n\n```\n{name}\n```", (field, other), steps, name
    )
