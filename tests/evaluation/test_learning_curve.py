from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from foveal.errors import UsageError
from foveal.evaluation import extrapolate
from foveal.evaluation.learning_curve import _fit

SIZES = np.array([50, 100, 200, 400, 800])


def power_law(sizes: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a - b * np.asarray(sizes, float) ** -c


def noisy(
    a: float, b: float, c: float, *, noise: float, repeats: int = 5, seed: int = 0
) -> np.ndarray:
    generator = np.random.default_rng(seed)
    accuracies = power_law(SIZES, a, b, c)[:, None]
    return np.clip(accuracies + noise * generator.normal(size=(len(SIZES), repeats)), 0, 1)


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, 1.2, 0.5), (0.95, 2.0, 0.7), (0.8, 4.0, 1.0)])
def test_a_curve_without_noise_is_continued(a: float, b: float, c: float) -> None:
    found = extrapolate(SIZES, noisy(a, b, c, noise=0.0), target=1600)
    assert found.extrapolation.estimate == pytest.approx(a - b * 1600**-c, abs=1e-4)
    assert found.extrapolated_num_images == 1600
    assert found.reason is None


def test_the_fit_agrees_with_scipy() -> None:
    means = noisy(0.9, 1.2, 0.5, noise=0.01).mean(axis=1)
    expected, _ = curve_fit(
        power_law, SIZES, means, p0=(0.9, 1.0, 0.5), bounds=([0, 0, 0.02], [1, np.inf, 2])
    )
    ceiling, drop, exponent = (part[0] for part in _fit(SIZES, means[None, :]))
    errors = (power_law(SIZES, ceiling, drop, exponent) - means) ** 2
    best = (power_law(SIZES, *expected) - means) ** 2
    assert errors.sum() == pytest.approx(best.sum(), rel=0.01)


def test_a_ceiling_above_one_is_held_at_one() -> None:
    ceiling, drop, _ = _fit(SIZES, (0.1 + 0.12 * np.log2(SIZES / 50.0))[None, :] + 0.4)
    assert ceiling[0] <= 1.0
    assert drop[0] >= 0.0


def test_four_points_without_repeats_are_trusted_less_than_eight() -> None:
    sizes = np.array([50, 100, 150, 200, 300, 400, 600, 800])
    means = power_law(sizes, 0.9, 1.2, 0.5) + 0.004 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    many = extrapolate(sizes, means[:, None], target=1600).extrapolation
    kept = [0, 1, 4, 7]
    few = extrapolate(sizes[kept], means[kept, None], target=1600).extrapolation
    assert few.high - few.low > many.high - many.low


def test_a_flat_curve_stays_flat() -> None:
    found = extrapolate(SIZES, np.full((5, 3), 0.7), target=1600).extrapolation
    assert (found.low, found.estimate, found.high) == pytest.approx((0.7, 0.7, 0.7))


def test_more_noise_widens_the_interval() -> None:
    calm = extrapolate(SIZES, noisy(0.9, 1.2, 0.5, noise=0.003), target=1600).extrapolation
    wild = extrapolate(SIZES, noisy(0.9, 1.2, 0.5, noise=0.03), target=1600).extrapolation
    assert wild.high - wild.low > 2 * (calm.high - calm.low)


def test_the_interval_is_no_narrower_than_the_scatter_about_the_curve() -> None:
    means = power_law(SIZES, 0.9, 1.2, 0.5) + 0.02 * np.array([1, -1, 1, -1, 1])
    found = extrapolate(SIZES, np.repeat(means[:, None], 4, axis=1), target=1600)
    ceiling, drop, exponent = (part[0] for part in _fit(SIZES, means[None, :]))
    scatter = np.sqrt(((means - power_law(SIZES, ceiling, drop, exponent)) ** 2).sum() / (5 - 3))
    assert found.extrapolation.high - found.extrapolation.low > 2 * scatter


def test_points_hold_the_mean_and_the_middle_of_the_repeats() -> None:
    accuracies = np.tile([0.5, 0.6, 0.7, 0.8, 0.9], (5, 1))
    point = extrapolate(SIZES, accuracies, target=1600).points[0]
    assert (point.num_images, point.accuracy) == (50, pytest.approx(0.7))
    assert (point.low, point.high) == (pytest.approx(0.54), pytest.approx(0.86))


def test_sizes_may_come_in_any_order_and_with_missing_repeats() -> None:
    accuracies = noisy(0.9, 1.2, 0.5, noise=0.0)
    accuracies[1, 3] = np.nan
    order = [3, 0, 4, 1, 2]
    found = extrapolate(SIZES[order], accuracies[order], target=1600)
    assert [point.num_images for point in found.points] == SIZES.tolist()
    assert found.extrapolation.estimate == pytest.approx(0.9 - 1.2 * 1600**-0.5, abs=1e-4)


def test_three_sizes_are_too_few() -> None:
    found = extrapolate([10, 20, 40], np.full((3, 2), 0.5), target=80)
    assert found.extrapolation is None
    assert "3 training sizes are too few" in found.reason


def test_one_size_is_too_few() -> None:
    found = extrapolate([10], np.full((1, 2), 0.5), target=80)
    assert found.extrapolation is None
    assert found.reason.startswith("1 training size is too few")


def test_a_falling_curve_is_not_fitted() -> None:
    found = extrapolate(SIZES, np.array([[0.9], [0.8], [0.7], [0.6], [0.5]]), target=1600)
    assert found.extrapolation is None
    assert "does not rise steadily" in found.reason


def test_a_target_already_reached_is_not_extrapolated() -> None:
    found = extrapolate(SIZES, noisy(0.9, 1.2, 0.5, noise=0.0), target=800)
    assert "no more than the 800 already tried" in found.reason


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 1.0), st.floats(0.0, 3.0), st.floats(0.1, 1.5))
def test_the_extrapolation_lies_in_its_interval_and_in_range(
    seed: int, a: float, b: float, c: float
) -> None:
    found = extrapolate(SIZES, noisy(a, b, c, noise=0.02, seed=seed), target=1600).extrapolation
    if found is not None:
        assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0


def test_the_interval_covers_the_true_continuation() -> None:
    covered, tried = 0, 0
    for seed in range(60):
        accuracies = noisy(0.92, 1.5, 0.55, noise=0.012, seed=seed)
        found = extrapolate(SIZES, accuracies, target=1600, seed=seed).extrapolation
        if found is not None:
            tried += 1
            covered += found.low <= 0.92 - 1.5 * 1600**-0.55 <= found.high
    assert tried >= 55
    assert covered / tried >= 0.9


@pytest.mark.parametrize(
    ("sizes", "accuracies", "message"),
    [
        ([10, 20], np.zeros((3, 2)), r"expected \[M\] and \[M, R\]"),
        ([10, 10], np.zeros((2, 2)), "expected different sizes"),
        ([10, 20], np.full((2, 2), 85.0), "expected fractions from 0 to 1"),
    ],
)
def test_wrong_points_are_named(sizes, accuracies, message) -> None:
    with pytest.raises(UsageError, match=message):
        extrapolate(sizes, accuracies, target=100)
