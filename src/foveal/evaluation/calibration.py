"""Calibration: how sure the model is against how often it is right, and temperature scaling."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import Calibration, Interval, ReliabilityBin
from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    as_rows,
    as_scores,
    compact,
    cross_fitting_folds,
    log_softmax,
    mean_log_loss,
    softmax,
)
from foveal.evaluation.intervals import clustered_wilson

Binning = Literal["equal-mass", "equal-width"]

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Returns the temperature that minimises the mean log loss (Guo et al. 2017).

    The search runs over log T between ``LOWEST_TEMPERATURE`` and
    ``HIGHEST_TEMPERATURE``. Where no answer is wrong, log loss only ever falls as T goes
    to zero: such data say nothing about how sure is too sure, and T is then at least 1.

    Args:
        logits: Shape [N, K]; not those the model was fitted on.
        labels: Class indices, shape [N].

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    scores = as_scores(logits)
    truth = as_labels(labels, num_images=len(scores), num_classes=scores.shape[1])
    return _fit_temperature(scores, truth)


def _fit_temperature(scores: Floats, truth: Ints) -> float:
    from scipy.optimize import minimize_scalar

    own = scores[np.arange(len(truth)), truth]
    never_wrong = bool((own >= scores.max(axis=1)).all())
    lowest = 1.0 if never_wrong else LOWEST_TEMPERATURE
    result = minimize_scalar(
        lambda log_temperature: mean_log_loss(
            scores, truth, temperature=float(np.exp(log_temperature))
        ),
        bounds=(np.log(lowest), np.log(HIGHEST_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    # The bounded search never evaluates the bounds themselves.
    candidates = (float(np.exp(result.x)), lowest, HIGHEST_TEMPERATURE)
    return min(candidates, key=lambda value: mean_log_loss(scores, truth, temperature=value))


def calibrate(
    logits: ArrayLike,
    labels: ArrayLike,
    fold_index: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    num_bins: int = 10,
) -> tuple[Calibration, Floats]:
    """Returns the calibration before and after temperature scaling, and probabilities.

    Each fold's probabilities use the temperature fitted on the other folds. A hold-out,
    one fold alone, is split in two halves by group for this. Where temperatures from other
    folds do not lower the log loss, scaling is left out: the temperature is then exactly 1 and
    both sides of the comparison are the same.

    Args:
        logits: Out-of-fold logits, shape [N, K].
        labels: Class indices, shape [N].
        fold_index: Fold in which each image was held out, shape [N].
        groups: Which images belong together, shape [N]; each on its own by default.
        num_bins: Bins of the reliability curve and of the error.

    Returns:
        The calibration, and the cross-fitted probabilities, shape [N, K].

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    scores = as_scores(logits)
    num_images = len(scores)
    truth = as_labels(labels, num_images=num_images, num_classes=scores.shape[1])
    members = (
        np.arange(num_images)
        if groups is None
        else as_rows(groups, num_images=num_images, name="groups")
    )
    folds = cross_fitting_folds(
        as_rows(fold_index, num_images=num_images, name="fold_index"), members
    )
    after = np.empty_like(scores)
    losses = np.empty(num_images)
    for fold in range(int(folds.max()) + 1):
        held_out = folds == fold
        rest = ~held_out
        temperature = _fit_temperature(scores[rest], truth[rest]) if rest.any() else 1.0
        after[held_out] = softmax(scores[held_out], temperature=temperature)
        rows = np.flatnonzero(held_out)
        losses[rows] = -log_softmax(scores[rows], temperature=temperature)[
            np.arange(len(rows)), truth[rows]
        ]
    temperature, log_loss = _fit_temperature(scores, truth), float(losses.mean())
    if log_loss >= (unscaled := mean_log_loss(scores, truth)):
        temperature, log_loss, after = 1.0, unscaled, softmax(scores)
    calibration = compare_calibration(
        scores,
        truth,
        members,
        after=after,
        temperature=temperature,
        log_loss_after=log_loss,
        num_bins=num_bins,
    )
    return calibration, after


def compare_calibration(
    scores: Floats,
    truth: Ints,
    groups: Ints,
    *,
    after: Floats,
    temperature: float,
    log_loss_after: float,
    num_bins: int,
) -> Calibration:
    """Returns the figures without a temperature beside those of given probabilities.

    Args:
        scores: Logits, shape [N, K].
        truth: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        after: Probabilities after temperature scaling, shape [N, K].
        temperature: The one to report.
        log_loss_after: Mean log loss of ``after``.
        num_bins: Bins of the reliability curve and of the error.
    """
    before = softmax(scores)
    members, _ = compact(groups)
    return Calibration(
        temperature=float(temperature),
        ece_before=expected_calibration_error(before, truth, num_bins=num_bins),
        ece_after=expected_calibration_error(after, truth, num_bins=num_bins),
        log_loss_before=mean_log_loss(scores, truth),
        log_loss_after=log_loss_after,
        reliability_before=_reliability(before, truth, members, num_bins),
        reliability_after=_reliability(after, truth, members, num_bins),
    )


def expected_calibration_error(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    num_bins: int = 10,
    binning: Binning = "equal-mass",
) -> float:
    """Returns the mean gap between confidence and accuracy over bins of confidence.

    Confidence is the top probability (Guo et al. 2017, equation 3). Bins of equal mass
    are the default: a good classifier puts most images into the last bin of equal width,
    and equal mass estimates the error with less bias (Roelofs et al. 2022,
    arXiv 2012.08668). Few images still push the figure up: it is never negative.

    Args:
        probabilities: Shape [N, K].
        labels: Class indices, shape [N].
        num_bins: Bins asked for; images of equal confidence are never parted, so there
            may be fewer.
        binning: Equal shares of the images, or equal ranges of confidence.

    Raises:
        UsageError: Shapes disagree, or rows are no distributions.
    """
    values = as_probabilities(probabilities)
    truth = as_labels(labels, num_images=len(values), num_classes=values.shape[1])
    confidence = values.max(axis=1)
    right = values.argmax(axis=1) == truth
    bins, _ = _assign_bins(confidence, num_bins, binning)
    gaps = np.abs(np.bincount(bins, weights=right - confidence))
    return float(gaps.sum() / len(values))


def _assign_bins(confidence: Floats, num_bins: int, binning: Binning) -> tuple[Ints, Floats]:
    """Returns the bin of each image, shape [N], and the edges of all bins, shape [B + 1]."""
    if binning == "equal-width":
        edges = np.linspace(0.0, 1.0, num_bins + 1)
    else:
        ordered = np.sort(confidence)
        starts = (np.arange(1, num_bins) * len(ordered)) // num_bins
        # An edge is a confidence that occurs, so images that tie stay together.
        inner = np.unique(ordered[starts])
        edges = np.concatenate([[0.0], inner[inner > ordered[0]], [1.0]])
    bins = np.searchsorted(edges[1:-1], confidence, side="right")
    return bins.astype(np.int64), edges


def _reliability(
    probabilities: Floats, truth: Ints, groups: Ints, num_bins: int
) -> tuple[ReliabilityBin, ...]:
    confidence = probabilities.max(axis=1)
    right: Bools = probabilities.argmax(axis=1) == truth
    bins, edges = _assign_bins(confidence, num_bins, "equal-mass")
    result = []
    for index in range(len(edges) - 1):
        inside = bins == index
        if inside.any():
            result.append(
                ReliabilityBin(
                    low=float(edges[index]),
                    high=float(edges[index + 1]),
                    num_images=int(inside.sum()),
                    mean_confidence=float(confidence[inside].mean()),
                    accuracy=_share_right(right[inside], groups[inside]),
                )
            )
    return tuple(result)


def _share_right(right: Bools, groups: Ints) -> Interval:
    hits = np.bincount(groups, weights=right).astype(np.float64)
    return clustered_wilson(hits, np.bincount(groups).astype(np.float64))


def assess_calibration(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike,
    temperature: float,
    num_bins: int = 10,
) -> tuple[Calibration, Floats]:
    """Returns how well a given temperature calibrates new images, and their probabilities.

    ``before`` is without a temperature, ``after`` with the given one.

    Args:
        logits: Of images that played no part in training, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        temperature: From the training, above 0.
        num_bins: Bins of the reliability curve and of the error.

    Returns:
        The calibration, and the probabilities at that temperature, shape [N, K].

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    scores = as_scores(logits)
    num_images, num_classes = scores.shape
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    if not (math.isfinite(temperature) and temperature > 0.0):
        raise UsageError(
            f"temperature: got {temperature}, expected a finite number above 0.",
            next_step="Pass the temperature that the classifier was stored with.",
        )
    after = softmax(scores, temperature=temperature)
    calibration = compare_calibration(
        scores,
        truth,
        as_rows(groups, num_images=num_images, name="groups"),
        after=after,
        temperature=temperature,
        log_loss_after=mean_log_loss(scores, truth, temperature=temperature),
        num_bins=num_bins,
    )
    return calibration, after
