from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.special import log_softmax as oracle_log_softmax
from scipy.special import logit

from foveal.errors import UsageError
from foveal.evaluation.recalibration import (
    ExternalCalibration,
    Recalibration,
    assess_external_calibration,
    fit_recalibration,
)


def make_data(
    num_images: int, *, num_classes: int = 2, slope: float = 1.0, shift: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels that follow them after a slope and a shift, and groups of four."""
    random = np.random.default_rng(seed)
    groups = np.arange(num_images) // 4
    common = random.normal(size=(groups.max() + 1, num_classes))[groups]
    scores = 1.3 * random.normal(size=(num_images, num_classes)) + common
    stored = oracle_log_softmax(scores, axis=1)
    moved = slope * stored
    moved[:, 0] += shift
    truth = np.exp(oracle_log_softmax(moved, axis=1))
    labels = (random.random((num_images, 1)) > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return np.exp(stored), labels, groups


def assess(*data: np.ndarray, **more: object) -> ExternalCalibration:
    names = tuple("abcdef"[: data[0].shape[1]])
    return assess_external_calibration(*data, class_names=names, **more)  # type: ignore[arg-type]


def test_of_two_classes_the_slope_is_that_of_a_logistic_regression() -> None:
    values, labels, groups = make_data(400, slope=0.6, seed=1)
    found = assess(values, labels, groups).slope
    design = sm.add_constant(logit(values[:, 1]))
    fit = sm.Logit(labels, design).fit(
        disp=False, tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": groups}
    )
    num_groups, num_images = groups.max() + 1, len(labels)
    # statsmodels also multiplies by (N - 1)/(N - 2), for the two parameters.
    deviation = fit.bse[1] / math.sqrt((num_images - 1) / (num_images - 2))
    reach = stats.t.ppf(0.975, num_groups - 1) * deviation
    assert found.estimate == pytest.approx(fit.params[1], abs=1e-12)
    assert found.low == pytest.approx(fit.params[1] - reach, abs=1e-10)
    assert found.high == pytest.approx(fit.params[1] + reach, abs=1e-10)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_calibration_in_the_large_is_a_regression_with_an_offset(k: int) -> None:
    values, labels, groups = make_data(300, num_classes=3, shift=0.8, seed=2)
    found = assess(values, labels, groups).classes[k].intercept
    fit = sm.GLM(
        labels == k, np.ones(300), family=sm.families.Binomial(), offset=logit(values[:, k])
    ).fit(tol=1e-15, maxiter=200, cov_type="cluster", cov_kwds={"groups": groups})
    reach = stats.t.ppf(0.975, groups.max()) * fit.bse[0]
    assert found.estimate == pytest.approx(fit.params[0], abs=1e-12)
    assert found.low == pytest.approx(fit.params[0] - reach, abs=1e-10)


def test_of_three_classes_no_other_slope_and_intercepts_are_likelier() -> None:
    values, labels, groups = make_data(300, num_classes=3, slope=0.7, shift=0.5, seed=3)

    def loss(value: np.ndarray) -> float:
        moved = value[-1] * np.log(values) + np.append(0.0, value[:-1])
        return -oracle_log_softmax(moved, axis=1)[np.arange(300), labels].sum()

    best = optimize.minimize(loss, np.array([0.0, 0.0, 1.0]), method="BFGS", tol=1e-12)
    found = assess(values, labels, groups)
    assert found.slope.estimate == pytest.approx(best.x[-1], abs=1e-5)
    assert found.recalibration is not None
    first = found.recalibration.intercepts[0]
    assert [one - first for one in found.recalibration.intercepts[1:]] == pytest.approx(
        best.x[:-1], abs=1e-5
    )
    assert sum(found.recalibration.intercepts) == pytest.approx(0.0, abs=1e-12)
    fitted = found.recalibration.apply(np.log(values))
    assert -fitted[np.arange(300), labels].sum() == pytest.approx(best.fun, abs=1e-9)


def test_the_interval_of_a_slope_of_three_classes_is_the_sandwich_by_differences() -> None:
    values, labels, groups = make_data(200, num_classes=3, slope=0.8, seed=4)
    fitted = fit_recalibration(np.log(values), labels)
    assert fitted is not None
    at = np.append(np.diff(fitted.intercepts, axis=0).cumsum(), fitted.slope)

    def losses(value: np.ndarray) -> np.ndarray:
        moved = value[-1] * np.log(values) + np.append(0.0, value[:-1])
        return -oracle_log_softmax(moved, axis=1)[np.arange(200), labels]

    step, size = 1e-5, len(at)
    rows = np.stack(
        [(losses(at + one) - losses(at - one)) / (2 * step) for one in step * np.eye(size)], axis=1
    )
    wide = 1e-4 * np.eye(size)
    hessian = [
        [
            (
                losses(at + a + b) - losses(at + a - b) - losses(at - a + b) + losses(at - a - b)
            ).sum()
            / 4e-8
            for a in wide
        ]
        for b in wide
    ]
    sums = np.stack([np.bincount(groups, weights=column) for column in rows.T], axis=1)
    inverse = np.linalg.inv(hessian)
    variance = (inverse @ sums.T @ sums @ inverse)[-1, -1] * 50 / 49
    found = assess(values, labels, groups).slope
    reach = stats.t.ppf(0.975, 49) * math.sqrt(variance)
    assert found.high - found.estimate == pytest.approx(reach, rel=1e-4)


@pytest.mark.parametrize("slope", [0.5, 1.0])
def test_recalibration_is_said_to_help_where_it_does(slope: float) -> None:
    found = assess(*make_data(1200, num_classes=3, slope=slope, seed=5))
    assert found.verdict == ("helps" if slope == 0.5 else "not shown")
    assert found.improvement.estimate == pytest.approx(
        found.log_loss - (found.recalibrated_log_loss or 0.0), abs=1e-12
    )


def test_recalibration_is_judged_on_groups_that_it_was_not_fitted_to() -> None:
    # Pure chance: any fit looks better on its own images, and none is.
    random = np.random.default_rng(6)
    values = random.dirichlet(np.ones(4), 40)
    labels = random.integers(0, 4, 40)
    found = assess(values, labels, np.arange(40))
    own = fit_recalibration(np.log(values), labels)
    assert own is not None
    fitted_loss = -own.apply(np.log(values))[np.arange(40), labels].mean()
    assert found.recalibrated_log_loss is not None
    assert fitted_loss < found.recalibrated_log_loss


def test_intervals_of_the_slope_hold_the_truth() -> None:
    held = []
    for seed in range(150):
        found = assess(*make_data(160, slope=0.8, seed=1000 + seed), num_resamples=10).slope
        held.append(found.low <= 0.8 <= found.high)
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.zeros(40, int), "There is no image of b."),
        (np.arange(40) % 2, "told apart without a mistake"),
    ],
)
def test_where_nothing_can_be_fitted_it_says_why(labels: np.ndarray, reason: str) -> None:
    values = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    found = assess(values, labels, np.arange(40))
    assert found.verdict == "unavailable"
    assert reason in (found.reason or "")
    assert found.slope.estimate is None


def test_one_group_has_a_slope_without_an_interval() -> None:
    values, labels, _ = make_data(60, seed=7)
    found = assess(values, labels, np.zeros(60, int))
    assert found.slope.estimate is not None
    assert found.slope.low is None
    assert "One group" in (found.reason or "")


@settings(max_examples=40)
@given(
    st.integers(1, 40), st.integers(2, 4), st.integers(1, 10), st.integers(0, 9999), st.booleans()
)
def test_whatever_comes_figures_are_finite_or_missing(
    num_images: int, num_classes: int, num_groups: int, seed: int, is_extreme: bool
) -> None:
    random = np.random.default_rng(seed)
    values = random.dirichlet(np.full(num_classes, 0.02 if is_extreme else 1.0), num_images)
    labels = random.integers(0, num_classes, num_images)
    groups = random.integers(0, num_groups, num_images)
    found = assess(values, labels, groups, num_resamples=50)
    for interval in (found.slope, found.improvement, *(one.intercept for one in found.classes)):
        for end in (interval.low, interval.estimate, interval.high):
            assert end is None or math.isfinite(end)
    assert math.isfinite(found.log_loss)


def test_applying_the_identity_changes_nothing() -> None:
    values, _, _ = make_data(20, num_classes=3)
    same = Recalibration(1.0, (0.0, 0.0, 0.0)).apply(np.log(values))
    assert np.exp(same) == pytest.approx(values, abs=1e-12)


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(UsageError, match="labels: got shape"):
        assess(np.full((4, 2), 0.5), np.zeros(3, int), np.arange(4))
