from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.learn.answers import Unreadable, equal, read, spell
from foveal.learn.exercise import Choice, Field, Value

# The web page is held to the same cases.
CASES = json.loads(Path(__file__).with_name("reading_cases.json").read_text(encoding="utf-8"))


def blank(case: dict[str, Any]) -> Field:
    answer: Value = tuple(range(case["axes"])) if case["kind"] == "shape" else 0
    choices = tuple(Choice(key, text) for key, text in case.get("choices", {}).items())
    return Field(
        "x",
        "x",
        case["kind"],
        answer,
        choices=choices,
        items=tuple(case.get("items", ())),
        unit=case.get("unit", ""),
    )


def spellings() -> list[tuple[dict[str, Any], str]]:
    return [(case, typed) for case in CASES for typed in case["typed"]]


@pytest.mark.parametrize(
    ("case", "typed"), spellings(), ids=[f"{c['kind']}: {t[:30]}" for c, t in spellings()]
)
def test_every_spelling_is_read(case: dict[str, Any], typed: str) -> None:
    value = read(blank(case), typed)
    expected = case["value"]
    if expected is None:
        assert isinstance(value, Unreadable)
        assert value.reason.endswith(".")
    elif isinstance(expected, float):
        assert isinstance(value, float)
        assert math.isclose(value, expected)
    else:
        assert value == (tuple(expected) if isinstance(expected, list) else expected)
        assert type(value) is (tuple if isinstance(expected, list) else type(expected))


@given(st.integers(0, 10**12))
def test_what_foveal_writes_it_reads_back(number: int) -> None:
    assert read(Field("n", "n", "integer", 0), spell(number)) == number


@given(st.lists(st.integers(2, 4096), min_size=1, max_size=4))
def test_shapes_too(sizes: list[int]) -> None:
    field = Field("s", "s", "shape", tuple(sizes))
    assert read(field, spell(tuple(sizes))) == tuple(sizes)
    assert read(field, str((1, *sizes))) == tuple(sizes)


@given(st.sampled_from(["integer", "number", "shape", "boolean", "code"]), st.text(max_size=60))
def test_no_text_raises(kind: Any, text: str) -> None:
    answer: Value = (1, 2, 3) if kind == "shape" else 1
    read(Field("x", "x", kind, answer), text)


def test_a_very_long_answer_is_unreadable() -> None:
    assert isinstance(read(Field("n", "n", "integer", 0), "1" * 100_000), Unreadable)


SHAPES_FOR_A_COUNT = (
    "1x2x3", "64x64", "64×64", "(64 × 64)", "1 x 64 x 28 x 28", "[3×224×224]", "= 8x8", "0x10",
    "1,024×7×7", "64x64 px", "６４×２８",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["integer", "number"])
@pytest.mark.parametrize("typed", SHAPES_FOR_A_COUNT)
def test_a_shape_is_no_count(kind: Any, typed: str) -> None:
    found = read(Field("n", "n", kind, 6, unit="px"), typed)
    assert isinstance(found, Unreadable)
    assert "looks like a shape" in found.reason


@pytest.mark.parametrize("typed", ["64*64", "64·64", "64x8*8", "64x9 + 1", "4096", "8.5x", "2^6"])
def test_a_product_is_a_count(typed: str) -> None:
    assert isinstance(read(Field("n", "n", "integer", 6, unit="times"), typed), (int, float))


def test_a_shape_is_asked_for_where_one_belongs() -> None:
    assert read(Field("s", "s", "shape", (64, 64)), "64x64") == (64, 64)


@pytest.mark.parametrize(("typed", "way_out"), [("156.878", "156.8780"), ("0.125", "0.1250")])
def test_what_may_be_one_number_or_another_has_a_way_to_say_either(
    typed: str, way_out: str
) -> None:
    count = Field("n", "n", "integer", 8)
    said = read(count, typed)
    assert isinstance(said, Unreadable)
    assert way_out in said.reason
    assert read(count, way_out) == float(typed)


def test_counts_are_exact_and_numbers_have_a_tolerance() -> None:
    count = Field("n", "n", "integer", 73856)
    ratio = Field("r", "r", "number", 8.5, tolerance=0.1)
    assert not equal(count, 73857, 73856)
    assert equal(ratio, 8.6, 8.5)
    assert not equal(ratio, 8.7, 8.5)


def test_true_is_not_one() -> None:
    assert not equal(Field("b", "b", "boolean", True), 1, True)
