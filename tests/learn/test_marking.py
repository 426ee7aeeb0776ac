from __future__ import annotations

import json

import pytest

from foveal.errors import UsageError
from foveal.learn.exercise import (
    Choice,
    Exercise,
    Field,
    Figure,
    Grid,
    Mistake,
    Step,
    from_json,
    to_json,
)
from foveal.learn.marking import mark

NO_FLOOR = Mistake("no-floor", 13.5, 1, "Round down.", follow="(a - 3)/2 + 1")

# 56 → 28 → 13 → 6: each row is floor((h - 3)/2) + 1 of the row before, the first padded by 1.
TABLE = Exercise(
    template="three-convolutions",
    seed=7,
    level=2,
    topic=2,
    skill="output-size",
    question="Fill in.",
    fields=(
        Field("a", "conv1", "integer", 28, mistakes=(Mistake("padding-once", 27, 0, "Both."),)),
        Field(
            "b",
            "conv2",
            "integer",
            13,
            mistakes=(NO_FLOOR,),
            follow="floor((a - 3)/2) + 1",
            step=1,
        ),
        Field("c", "conv3", "integer", 6, follow="floor((b - 3)/2) + 1", step=2),
    ),
    steps=(Step("28", 28), Step("13", 13), Step("6", 6)),
    hint="One after the other.",
    figure=Figure("x", "an x", (Grid("t", (("x",),), ("row",), ((0, 0),)),)),
    traps=frozenset(["floor"]),
)


def test_all_right() -> None:
    marked = mark(TABLE, {"a": "28", "b": "13", "c": "6"})
    assert marked.is_right
    assert marked.first_wrong is None
    assert marked.score == 1


def test_one_mistake_is_one_mistake_however_far_it_carries() -> None:
    # 27 → floor(24/2) + 1 = 13 → 6: the later values happen to be the true ones.
    # 30 → floor(27/2) + 1 = 14 → floor(11/2) + 1 = 6.
    marked = mark(TABLE, {"a": "30", "b": "14", "c": "6"})
    assert [each.verdict for each in marked.fields] == ["wrong", "follows", "right"]
    assert marked.first_wrong is marked.fields[0]
    assert marked.fields[1].expected_here == 14
    assert not marked.is_right


def test_a_mistake_is_named_with_the_step_where_it_enters() -> None:
    first = mark(TABLE, {"a": "28", "b": "13.5", "c": "6"}).first_wrong
    assert first is not None
    assert first.mistake is not None
    assert (first.key, first.mistake.code, first.step) == ("b", "no-floor", 1)


def test_a_mistake_is_known_after_an_earlier_one_too() -> None:
    # From 30: (30 - 3)/2 + 1 = 14.5.
    marked = mark(TABLE, {"a": "30", "b": "14.5", "c": "6"})
    assert marked.mistakes == ("no-floor",)
    assert marked.fields[1].mistake is not None
    assert marked.fields[1].mistake.value == 14.5


def test_what_cannot_be_read_is_not_wrong_and_what_follows_is_marked_all_the_same() -> None:
    marked = mark(TABLE, {"a": "about 30", "b": "13"})
    assert [each.verdict for each in marked.fields] == ["unreadable", "right", "empty"]
    assert marked.first_wrong is None
    assert not marked.is_readable
    assert not marked.is_right


def test_a_wrong_choice_is_answered_with_its_own_feedback() -> None:
    field = Field(
        "x",
        "x",
        "choice",
        "a",
        choices=(Choice("a", "1"), Choice("b", "2", feedback="2 counts the bias twice.")),
    )
    exercise = Exercise("t", 0, 1, 4, "s", "?", (field,), (Step("1"),), "hint")
    assert mark(exercise, "b").fields[0].message == "2 counts the bias twice."


def test_an_open_answer_is_left_to_the_learner() -> None:
    field = Field("x", "x", "open", "Because.", checklist=("says why",))
    marked = mark(Exercise("t", 0, 1, 4, "s", "?", (field,), (Step("1"),), "hint"), "I think so.")
    assert marked.fields[0].verdict == "open"
    assert marked.is_right


def test_an_exercise_survives_json() -> None:
    assert from_json(json.loads(json.dumps(to_json(TABLE)))) == TABLE


def test_json_that_is_no_exercise_is_refused() -> None:
    with pytest.raises(UsageError, match="no exercise of this version"):
        from_json({"template": "x", "fields": [{"nonsense": 1}], "steps": []})


def test_an_unknown_blank_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no blank 'z'; expected one of a, b, c"):
        TABLE.field("z")


def test_a_carried_mistake_is_told_with_the_learners_own_numbers() -> None:
    first = mark(TABLE, {"a": "30", "b": "14.5", "c": "6"}).fields[1]
    assert "(30 − 3)/2 + 1 = 14.5" in first.message


def test_a_rounded_mistake_is_still_that_mistake() -> None:
    # 13.5 rounded up.
    assert mark(TABLE, {"a": "28", "b": "14", "c": "6"}).mistakes == ("no-floor",)
