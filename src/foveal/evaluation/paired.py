"""The difference between two ways of answering the same images.

Both are judged on the same resampled groups, so what they share cancels out. The baseline is
always the commonest answer: what a classifier must beat to be worth anything. The leak is how
much a random split flatters the model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.evidence import Baseline, Grouping, Interval
from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    as_rows,
    check_inputs,
    compact,
)
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    bounded,
    clustered_wilson,
    expanded_percentiles,
    hull,
    mixed_groups,
    subtracted,
)
from foveal.evaluation.resampling import group_sums, resampled_sums


def accuracy_difference(
    first_right: Bools,
    second_right: Bools,
    groups: Ints,
    *,
    seed: int,
    num_resamples: int = 2000,
) -> Interval:
    """Returns the first accuracy minus the second with a paired 95% interval over groups.

    Where fewer than ten groups tell the two apart, the interval is widened to the one
    built from the two shares of disagreement (Newcombe 1998, Statistics in Medicine 17,
    2635-2650, without its term for their correlation, which is the cautious side).

    Args:
        first_right: Whether the first way got each image right, shape [N].
        second_right: The same for the second way, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        seed: Seeds the bootstrap.
        num_resamples: Bootstrap samples.
    """
    gained = first_right & ~second_right
    lost = second_right & ~first_right
    columns = np.stack([gained, lost, np.ones_like(gained)], axis=1).astype(np.float64)
    sums = group_sums(groups, columns)
    gains, losses, sizes = sums.T
    resampled = resampled_sums(sums, num_resamples=num_resamples, seed=seed)
    return net_share(gains, losses, sizes, (resampled[:, 0] - resampled[:, 1]) / resampled[:, 2])


def net_share(gains: Floats, losses: Floats, sizes: Floats, resampled: Floats) -> Interval:
    """Returns the share of gains minus that of losses, with its interval over groups.

    Args:
        gains: Images that the first way alone got right, by group, shape [G].
        losses: Those that the second way alone got right, shape [G].
        sizes: Images by group, shape [G]; groups without any are left out.
        resampled: The difference on each resample, shape [R]; NaN where undefined.
    """
    kept = sizes > 0
    gains, losses, sizes = gains[kept], losses[kept], sizes[kept]
    if not len(sizes):
        return Interval(None, None, None)
    difference = float((gains.sum() - losses.sum()) / sizes.sum())
    interval = expanded_percentiles(difference, resampled, num_groups=len(sizes), lowest=-1.0)
    if int(((gains > 0) | (losses > 0)).sum()) >= FEW_GROUPS:
        return interval
    return hull(
        interval, subtracted(clustered_wilson(gains, sizes), clustered_wilson(losses, sizes))
    )


def compare_with_baseline(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
) -> Baseline:
    """Returns the accuracy of always answering the commonest class, and the gain over it.

    Args:
        logits: Out-of-fold logits, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class. Of equally common classes the first counts.
        seed: Seeds the paired bootstrap over groups.

    Returns:
        The baseline. Its gain is no surer than the accuracy is, and within what is possible.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth, members = checked.scores, checked.labels, checked.members
    num_classes = scores.shape[1]
    commonest = int(np.bincount(truth, minlength=num_classes).argmax())
    right = scores.argmax(axis=1) == truth
    accuracy = float((truth == commonest).mean())
    gain = accuracy_difference(right, truth == commonest, members, seed=seed)
    return Baseline(class_names[commonest], accuracy, _no_surer(gain, accuracy, right, members))


def _no_surer(gain: Interval, accuracy: float, right: Bools, groups: Ints) -> Interval:
    """Returns the gain, widened where the accuracy itself rests on few groups with mistakes.

    Every group may tell the two ways of answering apart and the mistakes still lie in one
    group or none: the paired difference then looks surer than the accuracy it is made of.

    Args:
        gain: With its paired interval.
        accuracy: Of the constant answer; nothing can gain more than the rest of it.
        right: Whether each image was got right, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
    """
    hits, sizes = group_sums(groups, np.stack([right, np.ones_like(right)], axis=1)).T
    cautious = clustered_wilson(hits, sizes)
    if mixed_groups(hits, sizes) < FEW_GROUPS and cautious.low is not None:
        gain = hull(gain, Interval(gain.estimate, cautious.low - accuracy, gain.high))
    if gain.estimate is None or gain.low is None or gain.high is None:
        return gain
    return bounded(gain.estimate, gain.low, gain.high, lowest=-accuracy, highest=1.0 - accuracy)


def measure_leak(
    grouped_predictions: ArrayLike,
    random_predictions: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    source: str | None,
    is_approximate: bool,
    seed: int = 0,
) -> Grouping:
    """Returns the accuracy on grouped and on random folds, and their difference.

    With random folds a model has seen other images of the patients it is tested on
    (Yagis et al. 2021, Scientific Reports 11, 22544). The interval is that of a paired
    bootstrap over groups.

    Args:
        grouped_predictions: Predicted class with groups kept together, shape [N].
        random_predictions: Predicted class with groups ignored, shape [N].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        source: Where the groups come from, as a phrase; None without groups.
        is_approximate: Whether the groups are a guess.
        seed: Seeds the bootstrap.

    Raises:
        UsageError: Shapes disagree.
    """
    num_images = np.asarray(labels).size
    truth = as_rows(labels, num_images=num_images, name="labels")
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    grouped = truth == as_rows(
        grouped_predictions, num_images=num_images, name="grouped_predictions"
    )
    scattered = truth == as_rows(
        random_predictions, num_images=num_images, name="random_predictions"
    )
    if num_groups == num_images:
        return Grouping(source, is_approximate, None, None, None)
    return Grouping(
        source=source,
        is_approximate=is_approximate,
        grouped_accuracy=float(grouped.mean()),
        random_accuracy=float(scattered.mean()),
        leak=accuracy_difference(scattered, grouped, members, seed=seed),
    )
