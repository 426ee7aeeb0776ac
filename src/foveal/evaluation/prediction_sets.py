"""Prediction sets: all labels that cannot be ruled out, with a promised coverage.

Split-conformal prediction with the score 1 - p(true label) ("least ambiguous set", Sadinle,
Lei & Wasserman 2019, JASA 114, 223-234). A label enters the set when its probability
reaches a threshold that the right share of true labels reached on calibration images.
The promise, coverage of at least 1 - alpha on average, needs new images to come like the
calibration ones; a new hospital or camera is not covered by it.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import Interval, PredictionSets
from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    as_rows,
    compact,
    cross_fitting_folds,
)
from foveal.evaluation.intervals import proportion
from foveal.evaluation.resampling import class_hits_by_group, ratio, resampled_sums

Conditional = Literal["marginal", "class"]


def conformal_thresholds(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: float = 0.1,
    conditional: Conditional = "marginal",
) -> Floats:
    """Returns the probability at which each label enters the set, shape [K].

    Of n calibration images, the ⌈(n + 1)(1 - alpha)⌉-th largest probability of the true label
    is the threshold (Vovk et al. 2005; Angelopoulos & Bates 2021, arXiv 2107.07511). Where
    n is too small for that rank (below 9 at alpha = 0.1), the threshold is 0: the label is
    always in the set, the only way to keep the promise.

    Args:
        probabilities: Of images the model was not fitted on, shape [N, K].
        labels: Class indices, shape [N].
        alpha: Share of true labels that may be missed, in (0, 1).
        conditional: One threshold for all, or one a class so that each class is covered.

    Raises:
        UsageError: Shapes disagree, rows are no distributions, or alpha is out of range.
    """
    values = as_probabilities(probabilities)
    truth = as_labels(labels, num_images=len(values), num_classes=values.shape[1])
    check_alpha(alpha)
    own = values[np.arange(len(truth)), truth]
    num_classes = values.shape[1]
    if conditional == "marginal":
        return np.full(num_classes, _threshold(own, alpha))
    return np.array([_threshold(own[truth == k], alpha) for k in range(num_classes)])


def check_alpha(alpha: float) -> None:
    """Raises UsageError unless alpha lies between 0 and 1."""
    if not 0.0 < alpha < 1.0:
        raise UsageError(
            f"alpha: got {alpha}, expected a share between 0 and 1, both excluded.",
            next_step="Pass 0.1 for sets that hold the true label in 90% of images.",
        )


def _threshold(own: Floats, alpha: float) -> float:
    # (n + 1)(1 - alpha) in floating point may land a hair above a whole number.
    rank = math.ceil((len(own) + 1) * (1.0 - alpha) - 1e-9)
    if rank > len(own):
        return 0.0
    return float(np.sort(own)[len(own) - rank])


def predict_sets(probabilities: ArrayLike, thresholds: ArrayLike) -> Bools:
    """Returns which labels are in each image's set, shape [N, K].

    A set that would be empty holds the likeliest label instead: it only ever adds a label,
    so coverage cannot fall, and an empty set tells a reader nothing.

    Args:
        probabilities: Shape [N, K].
        thresholds: From :func:`conformal_thresholds`, shape [K].

    Raises:
        UsageError: Shapes disagree, or rows are no distributions.
    """
    values = as_probabilities(probabilities)
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.shape != (values.shape[1],):
        raise UsageError(
            f"thresholds: got shape {limits.shape}, expected ({values.shape[1]},), one a class.",
            next_step="Pass the thresholds fitted for this classifier.",
        )
    inside: Bools = values >= limits
    empty = ~inside.any(axis=1)
    inside[empty, values[empty].argmax(axis=1)] = True
    return inside


def evaluate_prediction_sets(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    fold_index: ArrayLike,
    *,
    alpha: float = 0.1,
    conditional: Conditional = "marginal",
    seed: int = 0,
    num_resamples: int = 2000,
) -> PredictionSets:
    """Returns the thresholds for new images and the coverage observed out of fold.

    The observed figures use, for each fold, thresholds from the other folds; the returned
    thresholds use all images. A hold-out is split in two halves by group.

    Args:
        probabilities: Out-of-fold, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        fold_index: Fold in which each image was held out, shape [N].
        alpha: Share of true labels that may be missed, in (0, 1).
        conditional: Coverage promised over all images, or for each class.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, rows are no distributions, or alpha is out of range.
    """
    values = as_probabilities(probabilities)
    num_images, num_classes = values.shape
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    own_groups = as_rows(groups, num_images=num_images, name="groups")
    members, _ = compact(own_groups)
    folds = cross_fitting_folds(
        as_rows(fold_index, num_images=num_images, name="fold_index"), own_groups
    )
    thresholds = conformal_thresholds(values, truth, alpha=alpha, conditional=conditional)
    sets = np.empty(values.shape, dtype=bool)
    for fold in range(int(folds.max()) + 1):
        held_out = folds == fold
        rest = ~held_out
        limits = (
            conformal_thresholds(values[rest], truth[rest], alpha=alpha, conditional=conditional)
            if rest.any()
            else np.zeros(num_classes)
        )
        sets[held_out] = predict_sets(values[held_out], limits)
    return judge_sets(
        sets,
        truth,
        members,
        thresholds=thresholds,
        alpha=alpha,
        conditional=conditional,
        seed=seed,
        num_resamples=num_resamples,
    )


def judge_sets(
    sets: Bools,
    truth: Ints,
    groups: Ints,
    *,
    thresholds: Floats,
    alpha: float,
    conditional: Conditional,
    seed: int,
    num_resamples: int,
) -> PredictionSets:
    """Returns the coverage and sizes of given sets, with intervals over groups.

    Args:
        sets: Which labels are in each image's set, shape [N, K].
        truth: Class indices, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        thresholds: To report, shape [K].
        alpha: What the sets were built for.
        conditional: How they were built.
        seed: Seeds the bootstrap.
        num_resamples: Bootstrap samples.
    """
    num_images, num_classes = sets.shape
    coverage, class_coverage = _coverages(
        sets[np.arange(num_images), truth],
        truth,
        groups,
        num_classes,
        seed=seed,
        num_resamples=num_resamples,
    )
    sizes = sets.sum(axis=1)
    return PredictionSets(
        alpha=alpha,
        conditional=conditional,
        thresholds=tuple(float(value) for value in thresholds),
        coverage=coverage,
        mean_size=float(sizes.mean()),
        size_counts=tuple(int(count) for count in np.bincount(sizes, minlength=num_classes + 1)),
        class_coverage=class_coverage,
    )


def _coverages(
    covered: Bools,
    truth: Ints,
    groups: Ints,
    num_classes: int,
    *,
    seed: int,
    num_resamples: int,
) -> tuple[Interval, tuple[Interval, ...]]:
    """Returns the interval of the coverage over all images, and by class."""
    table = class_hits_by_group(truth, covered, groups, num_classes=num_classes)
    drawn = resampled_sums(table, num_resamples=num_resamples, seed=seed)
    hits, totals = drawn[:, :num_classes], drawn[:, num_classes:]
    everywhere = proportion(
        _column_sums(table[:, :num_classes]),
        _column_sums(table[:, num_classes:]),
        hits.sum(axis=1) / totals.sum(axis=1),
    )
    shares = ratio(hits, totals)
    by_class = (
        proportion(
            _column_sums(table[:, [k]]), _column_sums(table[:, [num_classes + k]]), shares[:, k]
        )
        for k in range(num_classes)
    )
    return everywhere, tuple(by_class)


def _column_sums(table: Any) -> Floats:
    """Returns the sum over columns for each group, [G], of a dense or sparse table."""
    return np.asarray(table.sum(axis=1), dtype=np.float64).reshape(-1)


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
