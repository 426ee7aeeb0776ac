from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from foveal.errors import UsageError
from foveal.evaluation import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    softmax,
)
from foveal.evaluation.calibration import HIGHEST_TEMPERATURE
from foveal.evaluation.inputs import cross_fitting_folds


def make_calibrated(num_images: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true distribution of the labels: temperature 1."""
    generator = np.random.default_rng(seed)
    logits = 2.0 * generator.normal(size=(num_images, 3))
    gumbel = generator.gumbel(size=logits.shape)
    return logits, (logits + gumbel).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_known_factor(factor: float) -> None:
    logits, labels = make_calibrated(20_000)
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


def test_the_temperature_agrees_with_gradient_descent_in_torch() -> None:
    logits, labels = make_calibrated(300)
    inputs, target = torch.tensor(1.7 * logits), torch.tensor(labels)
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(inputs / log_temperature.exp(), target)
        loss.backward()
        return loss

    optimiser.step(closure)
    expected = float(log_temperature.detach().exp())
    assert fit_temperature(1.7 * logits, labels) == pytest.approx(expected, rel=1e-4)


def test_flawless_answers_are_not_made_surer() -> None:
    labels = np.arange(30) % 3
    assert fit_temperature(2.0 * np.eye(3)[labels], labels) == 1.0


def test_worthless_logits_are_flattened_to_the_bound() -> None:
    labels = np.arange(30) % 3
    temperature = fit_temperature(5.0 * np.eye(3)[(labels + 1) % 3], labels)
    assert temperature == pytest.approx(HIGHEST_TEMPERATURE)


def test_cross_fitting_uses_the_other_folds_temperature() -> None:
    logits, labels = make_calibrated(400)
    folds = np.arange(400) % 2
    logits[folds == 0] *= 4.0
    _, probabilities = calibrate(logits, labels, folds)
    other = fit_temperature(logits[folds == 1], labels[folds == 1])
    assert probabilities[folds == 0] == pytest.approx(softmax(logits[folds == 0] / other))


def test_log_losses_agree_with_scikit_learn() -> None:
    logits, labels = make_calibrated(300)
    found, probabilities = calibrate(2.0 * logits, labels, np.arange(300) % 5)
    assert found.log_loss_before == pytest.approx(log_loss(labels, softmax(2.0 * logits)))
    assert found.log_loss_after == pytest.approx(log_loss(labels, probabilities))


def test_calibration_mends_overconfidence() -> None:
    logits, labels = make_calibrated(2000)
    found, _ = calibrate(3.0 * logits, labels, np.arange(2000) % 5)
    assert found.ece_after < 0.3 * found.ece_before
    assert found.log_loss_after < found.log_loss_before


def test_what_other_folds_would_only_make_worse_is_left_alone() -> None:
    # Fold 0 is always right, fold 1 half the time: either one's temperature harms the other.
    sure = np.tile([[3.0, 0.0]], (40, 1))
    labels = np.concatenate([np.zeros(20, int), np.arange(20) % 2])
    calibration, probabilities = calibrate(sure, labels, np.arange(40) // 20)
    assert calibration.temperature == 1.0
    assert calibration.log_loss_after == calibration.log_loss_before
    np.testing.assert_array_equal(probabilities, softmax(sure))


def test_a_hold_out_is_split_by_group() -> None:
    groups = np.arange(60) // 6
    folds = cross_fitting_folds(np.full(60, 3), groups)
    assert sorted(np.bincount(folds)) == [30, 30]
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(10))


def test_a_hold_out_is_cross_fitted_too() -> None:
    logits, labels = make_calibrated(2000)
    found, _ = calibrate(3.0 * logits, labels, np.zeros(2000, int))
    assert found.ece_after < 0.3 * found.ece_before


def test_one_group_in_a_hold_out_stays_uncalibrated() -> None:
    logits, labels = make_calibrated(20)
    _, probabilities = calibrate(logits, labels, np.zeros(20, int), groups=np.zeros(20, int))
    assert probabilities == pytest.approx(softmax(logits))


def test_equal_width_error_agrees_with_torchmetrics() -> None:
    logits, labels = make_calibrated(500)
    probabilities = softmax(1.8 * logits)
    expected = multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(labels), num_classes=3, n_bins=10, norm="l1"
    )
    found = expected_calibration_error(probabilities, labels, binning="equal-width")
    assert found == pytest.approx(float(expected), abs=1e-6)


def test_equal_mass_error_by_hand() -> None:
    top = np.array([0.6, 0.7, 0.8, 0.9])
    probabilities = np.stack([top, 1 - top], axis=1)
    # Two bins: confidence 0.65 with 1/2 right, confidence 0.85 with 2/2 right.
    expected = (2 / 4) * abs(0.65 - 1 / 2) + (2 / 4) * abs(0.85 - 2 / 2)
    found = expected_calibration_error(probabilities, [0, 1, 0, 0], num_bins=2)
    assert found == pytest.approx(expected)


def test_equal_confidences_share_a_bin() -> None:
    probabilities = np.tile([0.75, 0.25], (8, 1))
    labels = [0, 0, 0, 1] * 2
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.0)


def test_reliability_bins_hold_every_image_once() -> None:
    logits, labels = make_calibrated(237)
    found, probabilities = calibrate(logits, labels, np.arange(237) % 5)
    bins = found.reliability_after
    assert sum(item.num_images for item in bins) == 237
    assert (bins[0].low, bins[-1].high) == (0.0, 1.0)
    assert all(a.high == b.low for a, b in itertools.pairwise(bins))
    assert max(item.num_images for item in bins) <= 24
    weighted = sum(item.num_images * item.mean_confidence for item in bins) / 237
    assert weighted == pytest.approx(probabilities.max(axis=1).mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 12))
def test_the_error_is_between_zero_and_one(seed: int, num_images: int, num_bins: int) -> None:
    logits, labels = make_calibrated(num_images, seed=seed)
    for binning in ("equal-mass", "equal-width"):
        found = expected_calibration_error(
            softmax(logits), labels, num_bins=num_bins, binning=binning
        )
        assert 0.0 <= found <= 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5))
def test_probabilities_keep_the_order_of_the_logits(seed: int, count: int, folds: int) -> None:
    logits, labels = make_calibrated(count, seed=seed)
    _, probabilities = calibrate(logits, labels, np.arange(count) % folds)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))


def test_rows_that_are_no_distribution_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"got a sum of 1\.5 and a smallest value of 0\.7 in row 1"
    ):
        expected_calibration_error([[0.5, 0.5], [0.7, 0.8]], [0, 1])
