"""The answers that the readers of every format mark: enough of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from foveal.learn.answers import read
from foveal.learn.drills import template
from foveal.learn.drills.choices import as_multiple_choice
from foveal.learn.exercise import Exercise, Field
from foveal.learn.exports.questions import ask_each_blank
from foveal.learn.exports.rules import rules_of


def test_the_sample_holds_every_kind_and_every_verdict(cases: Any) -> None:
    assert len({case.question.exercise.template for case in cases}) > 100
    kinds = Counter(case.question.field.kind for case in cases)
    assert set(kinds) == {"integer", "number", "shape", "choice", "boolean", "order", "match"}
    verdicts = Counter(case.mark.verdict for case in cases)
    assert set(verdicts) == {"right", "mistake", "wrong"}
    assert min(verdicts.values()) > 150


def test_every_named_mistake_has_a_rule_with_its_feedback(exercises: Any) -> None:
    for exercise in exercises:
        for field in exercise.fields:
            told = {(rule.mistake, rule.feedback) for rule in rules_of(field)}
            for mistake in field.mistakes:
                assert (mistake.code, mistake.feedback) in told


def test_a_question_keeps_its_identity_and_no_two_share_one(questions: Any) -> None:
    again = ask_each_blank({question.exercise: None for question in questions}).questions
    assert [each.identity for each in again] == [each.identity for each in questions]
    assert len({each.identity for each in questions}) == len(questions)


def test_rounded_forms_of_a_mistake_are_among_the_answers(cases: Any) -> None:
    rounded = [
        case
        for case in cases
        if case.mark.mistake is not None and case.value != case.mark.mistake.value
    ]
    assert {case.question.field.kind for case in rounded} == {"integer", "number"}
    assert len(rounded) > 40


def test_true_or_false_without_a_named_mistake_still_has_both_answers() -> None:
    field = Field("b", "True or false", "boolean", True)
    assert [(rule.value, rule.is_right) for rule in rules_of(field)] == [
        (True, True),
        (False, False),
    ]


def test_an_exercise_with_code_is_left_out_whole_and_named() -> None:
    fields = (Field("n", "Count", "integer", 3), Field("c", "`forward`", "code", "x.flatten(1)"))
    exercise = Exercise("made", 0, 1, 2, "sizes", "Which?", fields, (), "")
    asked = ask_each_blank([exercise])
    assert asked.questions == ()
    assert asked.left_out == ((exercise, "forward is code, which is compared as text there"),)


def test_every_spelling_is_read_here_as_that_value_and_stands_once(exercises: Any) -> None:
    for exercise in exercises:
        for field in exercise.fields:
            ways = [(rule, way) for rule in rules_of(field) for way in rule.spellings]
            assert len({way.casefold() for _, way in ways}) == len(ways)
            assert all(read(field, way) == rule.value for rule, way in ways)


def test_a_blank_as_multiple_choice_is_another_question() -> None:
    exercise = template("convolution-parameters").exercise(0, 1)
    (typed,), (chosen,) = (
        ask_each_blank([each]).questions for each in (exercise, as_multiple_choice(exercise))
    )
    assert typed.identity != chosen.identity


def test_better_words_keep_a_question_itself_and_another_network_does_not() -> None:
    exercise = template("field-growth").exercise(0, 1)
    own = replace(exercise, template="own-fields")
    first, reworded, mine, other = (
        ask_each_blank([each]).questions[0].identity
        for each in (
            exercise,
            replace(exercise, question="In better words?"),
            own,
            replace(own, question="Of another network?"),
        )
    )
    assert first == reworded
    assert mine != other
