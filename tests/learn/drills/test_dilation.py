from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foveal.arithmetic import AxisField
from foveal.learn.drills import template
from foveal.learn.drills.dilation import GRIDDING


def field_of(kernel: int, rates: list[int]) -> AxisField:
    found = AxisField.of_input()
    for rate in rates:
        found = found.through_convolution(kernel=kernel, stride=1, dilation=rate)
    return found


def test_the_rates_of_the_rule_are_the_engines() -> None:
    fields = [field_of(3, [1, 2, 5][:depth]).size for depth in (1, 2, 3)]
    assert f"fields are {', '.join(map(str, fields))}" in GRIDDING
    assert field_of(3, [1, 2, 5]).pixels_seen == fields[-1]
    # A rate of 1 and no common divisor are not enough.
    assert field_of(3, [1, 9]).pixels_seen < field_of(3, [1, 9]).size
    assert field_of(3, [2, 5]).pixels_seen < field_of(3, [2, 5]).size


@given(st.integers(2, 7), st.lists(st.integers(1, 60), max_size=5))
def test_no_pixel_is_left_out_where_no_rate_exceeds_the_field_before_it(
    kernel: int, drawn: list[int]
) -> None:
    rates = [1]
    for number in drawn:
        rates.append(1 + number % field_of(kernel, rates).size)
    field = field_of(kernel, rates)
    assert field.pixels_seen == field.size


@given(st.integers(2, 5), st.integers(2, 6), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_common_divisor_leaves_pixels_out(kernel: int, step: int, times: list[int]) -> None:
    field = field_of(kernel, [step * each for each in times])
    assert field.pixels_seen <= (field.size - 1) // step + 1 < field.size


def test_pixels_that_are_missed_are_not_one_more() -> None:
    for seed in range(12):
        missed = template("gridding").exercise(seed, 3).field("missed")
        codes = {mistake.code for mistake in missed.mistakes}
        assert "read-for-missed" in codes
        assert "no-plus-one" not in codes
