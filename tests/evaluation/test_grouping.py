from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.evaluation import Grouping, Interval, accuracy_difference, measure_leak


def test_the_leak_is_random_minus_grouped() -> None:
    labels = np.zeros(100, int)
    grouped = (np.arange(100) % 10 < 4).astype(int)
    random = (np.arange(100) % 10 < 1).astype(int)
    found = measure_leak(
        grouped,
        random,
        labels,
        np.arange(100) // 5,
        source="column 'patient'",
        is_approximate=False,
    )
    assert (found.grouped_accuracy, found.random_accuracy) == (0.6, 0.9)
    assert found.leak.estimate == pytest.approx(0.9 - 0.6)
    assert 0.0 < found.leak.low <= found.leak.high <= 1.0


def test_images_on_their_own_have_nothing_to_leak() -> None:
    found = measure_leak([0, 1], [0, 1], [0, 1], [5, 9], source=None, is_approximate=False)
    assert found == Grouping(None, False, None, None, None)


def test_one_group_has_a_leak_without_an_interval() -> None:
    found = measure_leak([0, 1], [0, 0], [0, 0], [3, 3], source="a", is_approximate=True)
    assert found.leak == Interval(0.5, None, None)


def test_equal_predictions_may_still_differ_a_little() -> None:
    predictions = np.arange(60) % 2
    found = measure_leak(
        predictions,
        predictions,
        np.zeros(60, int),
        np.arange(60) // 3,
        source="a",
        is_approximate=False,
    )
    assert found.leak.low < 0.0 == found.leak.estimate < found.leak.high


def test_a_difference_agrees_with_its_standard_error() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random(2000) < 0.8, generator.random(2000) < 0.7
    found = accuracy_difference(first, second, np.arange(2000), seed=0)
    error = (first.astype(float) - second).std(ddof=1) / np.sqrt(2000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 8))
def test_swapping_the_two_negates_the_difference(seed: int, count: int, groups: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 2, (2, count)).astype(bool)
    members = np.arange(count) % groups
    forward = accuracy_difference(first, second, members, seed=0, num_resamples=50)
    backward = accuracy_difference(second, first, members, seed=0, num_resamples=50)
    assert forward.estimate == pytest.approx(-backward.estimate)
    if forward.low is not None:
        assert -1.0 <= forward.low <= forward.estimate <= forward.high <= 1.0
