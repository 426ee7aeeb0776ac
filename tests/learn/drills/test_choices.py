from __future__ import annotations

import pytest

from foveal.learn.drills import TEMPLATES, template
from foveal.learn.drills.choices import as_multiple_choice
from foveal.learn.exercise import from_json, to_json
from foveal.learn.marking import mark


@pytest.mark.parametrize("drill", TEMPLATES, ids=lambda drill: drill.name)
def test_the_distractors_are_the_mistakes(drill: object) -> None:
    exercise = drill.exercise(1, 2)  # type: ignore[attr-defined]
    chosen = as_multiple_choice(exercise)
    right = {field.key: str(field.answer) for field in chosen.fields if field.kind == "choice"}
    for field, before in zip(chosen.fields, exercise.fields, strict=True):
        if field.kind != "choice" or before.kind == "choice":
            continue
        codes = {mistake.code for mistake in before.mistakes}
        assert {choice.mistake for choice in field.choices} - {""} <= codes
        wrong = next(choice for choice in field.choices if choice.mistake)
        marked = mark(chosen, {**right, field.key: wrong.key})
        assert marked.mistakes == (wrong.mistake,)
    assert from_json(to_json(chosen)) == chosen


def test_the_right_choice_is_not_always_in_one_place() -> None:
    drill = template("convolution-parameters")
    positions = {as_multiple_choice(drill.exercise(seed, 1)).fields[0].answer for seed in range(40)}
    assert positions >= {"a", "b", "c", "d"}
