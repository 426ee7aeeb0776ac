from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foveal.evaluation.evidence import Interval
from foveal.evaluation.intervals import (
    clustered_wilson,
    effective_size,
    expanded_percentiles,
    hull,
    mean_of,
    proportion,
    wilson,
)
from foveal.evaluation.resampling import group_sums, resampled_sums


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case: tuple[int, int]) -> None:
    hits, trials = case
    expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    found = wilson(hits, trials)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_the_published_cell_classifier() -> None:
    # 580 of 656 right: the interval is printed as 85.7 to 90.6.
    found = wilson(580, 656)
    assert (round(found.low, 3), round(found.high, 3)) == (0.857, 0.906)


def test_wilson_without_trials_is_undefined() -> None:
    assert wilson(0, 0) == Interval(None, None, None)


def test_ungrouped_images_are_worth_their_number() -> None:
    hits = np.array([1.0] * 37 + [0.0] * 13)
    assert effective_size(hits, np.ones(50)) == pytest.approx(50.0)


def test_flawless_groups_are_worth_their_number() -> None:
    assert effective_size(np.full(20, 30.0), np.full(20, 30.0)) == pytest.approx(20.0)


def test_flawless_groups_of_unequal_size_are_worth_kish_number() -> None:
    sizes = np.array([10.0, 10.0, 40.0])
    assert effective_size(sizes, sizes) == pytest.approx(60**2 / (10**2 + 10**2 + 40**2))


def test_groups_wholly_right_or_wrong_are_worth_their_number() -> None:
    hits = np.array([25.0, 0.0] * 20)
    # One more than the 40 groups at most: G/(G - 1) against n/(n - 1).
    assert effective_size(hits, np.full(40, 25.0)) == pytest.approx(40, abs=1.1)


def test_independent_images_in_groups_are_worth_nearly_their_number() -> None:
    hits = np.random.default_rng(0).binomial(20, 0.7, size=400).astype(float)
    assert effective_size(hits, np.full(400, 20.0)) == pytest.approx(8000, rel=0.15)


def test_an_interval_without_groups_is_wilson() -> None:
    hits = np.array([1.0] * 90 + [0.0] * 10)
    assert clustered_wilson(hits, np.ones(100)).low == pytest.approx(wilson(90, 100).low)


def test_one_group_has_no_interval() -> None:
    assert clustered_wilson(np.array([3.0]), np.array([4.0])) == Interval(0.75, None, None)


def test_flawless_answers_do_not_claim_certainty() -> None:
    ones = np.ones(100)
    found = proportion(ones, ones, np.ones(2000))
    expected = stats.binomtest(100, 100).proportion_ci(method="wilson").low
    assert (found.low, found.high) == (pytest.approx(expected), 1.0)


def test_percentiles_reach_further_for_fewer_groups() -> None:
    resampled = np.random.default_rng(0).normal(0.5, 0.05, size=20_000)
    few = expanded_percentiles(0.5, resampled, num_groups=5)
    many = expanded_percentiles(0.5, resampled, num_groups=5000)
    # t with 4 degrees of freedom times sqrt(5/4), against the normal quantile.
    ratio = stats.t.ppf(0.975, 4) * np.sqrt(5 / 4) / stats.norm.ppf(0.975)
    assert few.high - few.low == pytest.approx(ratio * (many.high - many.low), rel=0.06)


def test_percentiles_ignore_undefined_resamples() -> None:
    found = expanded_percentiles(0.5, np.array([np.nan, 0.4, 0.6, np.nan]), num_groups=9)
    assert 0.4 <= found.low <= 0.5 <= found.high <= 0.6


def test_square_and_add_of_two_equal_parts_shrinks_by_root_two() -> None:
    part = Interval(0.5, 0.4, 0.7)
    found = mean_of([part, part, Interval(None, None, None)])
    assert found.low == pytest.approx(0.5 - 0.1 / np.sqrt(2))
    assert found.high == pytest.approx(0.5 + 0.2 / np.sqrt(2))


def test_a_hull_covers_both() -> None:
    assert hull(Interval(0.5, 0.4, 0.6), Interval(0.5, 0.45, 0.7)) == Interval(0.5, 0.4, 0.7)


@given(st.data())
def test_a_proportion_always_lies_in_its_interval(data: st.DataObject) -> None:
    totals = np.array(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=12)), float)
    hits = np.array([data.draw(st.integers(0, int(total))) for total in totals], float)
    drawn = resampled_sums(np.stack([hits, totals], axis=1), num_resamples=50, seed=0)
    found = proportion(hits, totals, drawn[:, 0] / drawn[:, 1])
    if len(totals) == 1:
        assert found.low is None
    else:
        assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0


def test_group_sums_add_up_each_group() -> None:
    groups = np.array([0, 1, 0, 2])
    columns = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    assert group_sums(groups, columns).tolist() == [[1 + 3, 10 + 30], [2, 20], [4, 40]]


@pytest.mark.parametrize("distinct", [True, False])
def test_resamples_have_the_bootstraps_mean_and_spread(distinct: bool) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=400) if distinct else generator.integers(0, 2, 400)
    drawn = resampled_sums(values[:, None].astype(float), num_resamples=4000, seed=1)[:, 0]
    assert drawn.mean() == pytest.approx(values.sum(), abs=4 * values.std() * np.sqrt(400 / 4000))
    assert drawn.std() == pytest.approx(values.std() * np.sqrt(400), rel=0.05)


def test_sparse_and_dense_sums_draw_the_same_groups() -> None:
    from scipy import sparse

    table = np.random.default_rng(0).integers(0, 50, size=(40, 6)).astype(float)
    dense = resampled_sums(table, num_resamples=30, seed=3)
    assert np.array_equal(dense, resampled_sums(sparse.csr_array(table), num_resamples=30, seed=3))
