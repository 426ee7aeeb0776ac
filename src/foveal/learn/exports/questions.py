"""Exercises as questions with one blank each, for programs that mark each blank by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foveal.learn.drills.from_network import PREFIX
from foveal.learn.exercise import Exercise, Field
from foveal.learn.exports.rules import Rule, rules_of
from foveal.learn.markup import figure_html, inline_html, plain_text, solution_html, to_html
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class Question:
    """One blank of an exercise, to be asked by itself.

    Attributes:
        exercise: The whole it comes from.
        field: The blank.
        rules: What marks it; none where the learner answers in words.
    """

    exercise: Exercise
    field: Field
    rules: tuple[Rule, ...]

    @property
    def identity(self) -> str:
        """The same at every export: 16 digits made from drill, level, variant and blank."""
        exercise = self.exercise
        # The same blank as multiple choice is another question, and so is the same drill of
        # another network. Other questions may be put in better words and stay themselves.
        network = exercise.question if exercise.template.startswith(PREFIX) else ""
        made_of = (
            *(exercise.template, exercise.level, exercise.seed),
            *(self.field.key, self.field.kind, network),
        )
        return hashlib.sha256(repr(made_of).encode("utf-8", "backslashreplace")).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What a teacher sees in a list."""
        label = f", {plain_text(self.field.label)}" if len(self.exercise.fields) > 1 else ""
        return printable(f"{exercise_name(self.exercise)}{label}")

    @property
    def question_html(self) -> str:
        """What is asked: the text, the drawing, and which blank is meant."""
        asked = to_html(self.exercise.question) + figure_html(self.exercise.figure)
        if len(self.exercise.fields) == 1:
            return asked
        unit = f" ({self.field.unit})" if self.field.unit else ""
        return (
            f"{asked}<p>Answer here only: {inline_html(self.field.label)}{inline_html(unit)}.</p>"
        )

    @property
    def solution_html(self) -> str:
        """The worked solution and the reasons."""
        return solution_html(self.exercise)

    @property
    def is_matching(self) -> bool:
        """Whether it can be asked as a native matching question."""
        return self.field.kind == "match" and not self.field.mistakes and len(self.field.items) >= 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What a format that marks each blank by itself can hold of some exercises.

    Attributes:
        questions: One for each blank.
        split: Exercises that became several questions.
        left_out: What cannot be held, and why: (exercise, reason).
    """

    questions: tuple[Question, ...]
    split: tuple[Exercise, ...]
    left_out: tuple[tuple[Exercise, str], ...]


def ask_each_blank(exercises: Iterable[Exercise]) -> Asked:
    """Returns the exercises as questions with one blank each.

    An exercise with a blank for code is left out whole: code is compared as Python reads it,
    and none of these formats reads Python.
    """
    questions: list[Question] = []
    split, left_out = [], []
    for exercise in exercises:
        codes = [field.label for field in exercise.fields if field.kind == "code"]
        if codes:
            reason = f"{plain_text(codes[0])} is code, which is compared as text there"
            left_out.append((exercise, reason))
            continue
        if len(exercise.fields) > 1:
            split.append(exercise)
        questions += [Question(exercise, field, rules_of(field)) for field in exercise.fields]
    return Asked(tuple(questions), tuple(split), tuple(left_out))


def exercise_name(exercise: Exercise) -> str:
    """Returns the name of an exercise, with its level and variant where it has some."""
    if exercise.template.startswith("quiz:"):
        return exercise.template
    return f"{exercise.template}, level {exercise.level}, variant {exercise.seed}"


def by_topic(questions: Sequence[Question]) -> dict[int, list[Question]]:
    """Returns the questions by the number of their topic, topics in their order."""
    topics: dict[int, list[Question]] = {}
    for question in sorted(questions, key=lambda each: each.exercise.topic):
        topics.setdefault(question.exercise.topic, []).append(question)
    return topics
