from __future__ import annotations

import pytest

from foveal.errors import UsageError
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.diagrams import field_through
from foveal.learn.drills.layers import Conv, Pool, shape_mistakes
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import fault
from foveal.learn.drills.window import Window
from foveal.learn.formula import evaluate
from foveal.learn.mistakes import MISTAKES, mistake_kind


def test_a_formula_that_disagrees_with_the_engine_is_no_exercise() -> None:
    with pytest.raises(AssertionError, match="a: 2 \\+ 2 is not 5"):
        Sheet().blank("a", "a", 5, "2 + 2")


def test_mistakes_that_collide_reject_the_instance() -> None:
    sheet = Sheet()
    sheet.blank("a", "a", 28, "28", wrong=[("no-plus-one", "27"), ("padding-once", "27")])
    assert fault(sheet) == "a: padding-once gives a value that is taken."


def test_a_mistake_that_gives_the_right_answer_rejects_it_too() -> None:
    sheet = Sheet()
    sheet.blank("a", "a", 28, "28", wrong=[("padding-once", "28")])
    assert fault(sheet) is not None


def test_a_lenient_sheet_names_both() -> None:
    sheet = Sheet(lenient=True)
    sheet.blank(
        "a",
        "a",
        28,
        "28",
        wrong=[("no-plus-one", "27"), ("padding-once", "27"), ("stride-ignored", "28")],
    )
    (mistake,) = sheet.fields[0].mistakes
    assert "the + 1 was dropped" in mistake.feedback
    assert "on one side only" in mistake.feedback


def test_what_is_given_is_no_blank() -> None:
    sheet = Sheet(given={"x": (3, 56, 56)})
    sheet.blank("a", "a", 28, "x[1]/2", wrong=[Wrong("pool-forgotten", "x[1]")])
    sheet.blank("b", "b", 14, "a/2")
    assert sheet.fields[0].follow == ""
    assert sheet.fields[1].follow == "a/2"
    assert sheet.steps[1].text == "b: 28/2 = 14"


@pytest.mark.parametrize(
    ("layer", "code", "expected"),
    [
        # 128 with kernel 5, stride 2, padding 2: floor(127/2) + 1 = 64
        (Conv(3, 64, (5, 5), (2, 2), (2, 2)), "one-short", (64, 63, 63)),
        (Conv(3, 64, (5, 5), (2, 2), (2, 2)), "rounded-up", (64, 65, 65)),
        (Conv(3, 64, (5, 5), (2, 2), (2, 2)), "channels-kept", (3, 64, 64)),
        (Conv(3, 64, (3, 3), dilation=(2, 2)), "dilation-ignored", (64, 126, 126)),
        (Conv(3, 64, (3, 3), dilation=(2, 2)), "dilated-kernel", (64, 123, 123)),
        (Pool(Window(3, 2, rounding="ceil")), "rounded-down", (3, 63, 63)),
    ],
)
def test_mistakes_are_followed_to_their_end(
    layer: Conv | Pool, code: str, expected: tuple[int, ...]
) -> None:
    wrong = {each.code: each.formula for each in shape_mistakes(layer, "x", (3, 128, 128))}
    assert evaluate(wrong[code], {"x": (3, 128, 128)}) == expected


def test_chance_is_the_same_in_every_version() -> None:
    chance = Chance("a name")
    assert [chance.below(1000) for _ in range(5)] == PINNED
    assert sorted(Chance("b").shuffled("abcdef")) == list("abcdef")


PINNED = [835, 588, 50, 102, 519]


def test_a_dilated_field_is_drawn_with_its_holes() -> None:
    figure = field_through([("conv1", Window(3, dilation=2)), ("conv2", Window(3, dilation=2))])
    assert figure is not None
    assert figure.text.splitlines() == [
        "after conv2  ····■····",
        "after conv1  ··■·■·■··",
        "input        ■·■·■·■·■",
    ]
    assert figure.alternative.endswith("In the input these span 9 pixels, of which 4 are not seen.")


def test_a_field_that_is_too_wide_is_not_drawn() -> None:
    assert field_through([("conv1", Window(61))]) is None


def test_mistakes_have_unique_names_and_full_sentences() -> None:
    codes = [kind.code for kind in MISTAKES]
    assert sorted(set(codes)) == sorted(codes)
    assert all(kind.sentence[-1] in ".)" for kind in MISTAKES)
    with pytest.raises(UsageError, match="no mistake named 'no-flour'"):
        mistake_kind("no-flour")
