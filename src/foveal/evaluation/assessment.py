"""A finished classifier on new images: temperature and thresholds are given, not fitted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.calibration import compare_calibration
from foveal.evaluation.evidence import Calibration, PredictionSets
from foveal.evaluation.inputs import (
    Floats,
    as_labels,
    as_probabilities,
    as_rows,
    as_scores,
    compact,
)
from foveal.evaluation.prediction_sets import Conditional, check_alpha, judge_sets, predict_sets
from foveal.evaluation.probabilities import mean_log_loss, softmax


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
            f"temperature is {temperature}; expected a finite number above 0.",
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


def assess_prediction_sets(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    thresholds: ArrayLike,
    alpha: float,
    conditional: Conditional,
    seed: int = 0,
    num_resamples: int = 2000,
) -> PredictionSets:
    """Returns the coverage and sizes that given thresholds reach on new images.

    Coverage below the promise means that these images do not come like those the
    thresholds were fitted on.

    Args:
        probabilities: Calibrated, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        thresholds: From the training, shape [K].
        alpha: Share of true labels the thresholds were made to miss.
        conditional: What the thresholds promise.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, rows are no distributions, or alpha is out of range.
    """
    values = as_probabilities(probabilities)
    num_images, num_classes = values.shape
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
    check_alpha(alpha)
    return judge_sets(
        predict_sets(values, thresholds),
        truth,
        members,
        thresholds=np.asarray(thresholds, dtype=np.float64),
        alpha=alpha,
        conditional=conditional,
        seed=seed,
        num_resamples=num_resamples,
    )
