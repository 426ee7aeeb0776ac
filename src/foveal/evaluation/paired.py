"""The difference between two ways of answering the same images.

Both are judged on the same resampled groups, so what they share cancels out. The baseline is
always the commonest answer: what a classifier must beat to be worth anything. The leak is how
much a random split flatters the model.

Areas under the ROC curve have a test of their own. With groups the influences of an area are
summed within groups first (Obuchowski 1997, Biometrics 53, 567-578), so that what the two ways
of scoring share cancels out and images of one group count as the one witness they are. With
every image on its own the same arithmetic is the test of DeLong et al. 1988 (Biometrics 44,
837-845).
"""

from __future__ import annotations

import math
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
    NORMAL_QUANTILE,
    bounded,
    clustered_wilson,
    expanded_percentiles,
    hull,
    mixed_groups,
    student_quantile,
    subtracted,
)
from foveal.evaluation.ranking import (
    RankArea,
    area_interval,
    groups_behind_mean,
    mean_area_interval,
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


# As few groups that tell two areas apart give no variance.
_FEW_GROUPS = 3

Areas = list[RankArea | None]


def area_difference(first: Areas, second: Areas) -> Interval:
    """Returns the first mean area minus the second with its paired 95% interval over groups.

    Args:
        first: One area a class of the first way of scoring, by the same groups; one alone for
            the difference of one class. Classes that either lacks are left out.
        second: The same for the second.
    """
    pairs = _defined(first, second)
    if not pairs:
        return Interval(None, None, None)
    difference, influence = _difference(pairs)
    parts = [
        (one.influence - other.influence, min(one.num_groups, other.num_groups))
        for one, other in pairs
    ]
    if min(num_groups for _, num_groups in parts) < 2:
        return Interval(difference, None, None)
    deviation = math.sqrt(float((influence**2).sum()))
    reach = student_quantile(groups_behind_mean(parts)) * deviation if deviation else 0.0
    interval = bounded(difference, difference - reach, difference + reach, lowest=-1.0)
    is_sparse = any(one.is_sparse or other.is_sparse for one, other in pairs)
    if not is_sparse and np.count_nonzero(influence) >= _FEW_GROUPS:
        return interval
    return hull(interval, _square_and_add(pairs))


def delong(first: Areas, second: Areas) -> tuple[Interval, float | None]:
    """Returns the difference with DeLong's 95% interval and two-sided p-value.

    Args:
        first: As above, with every image as its own group: DeLong's variance takes the images
            as independent.
        second: The same for the second.

    Returns:
        The p-value is ``None`` where the variance is zero: the two rank alike or both perfectly.
    """
    from scipy.special import ndtr

    pairs = _defined(first, second)
    if not pairs:
        return Interval(None, None, None), None
    difference, influence = _difference(pairs)
    deviation = math.sqrt(float((influence**2).sum()))
    if deviation == 0.0 or min(min(a.num_groups, b.num_groups) for a, b in pairs) < 2:
        return Interval(difference, None, None), None
    reach = NORMAL_QUANTILE * deviation
    interval = bounded(difference, difference - reach, difference + reach, lowest=-1.0)
    return interval, float(2.0 * ndtr(-abs(difference) / deviation))


def _defined(first: Areas, second: Areas) -> list[tuple[RankArea, RankArea]]:
    return [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if one is not None and other is not None
    ]


def _difference(pairs: list[tuple[RankArea, RankArea]]) -> tuple[float, Floats]:
    """Returns the mean difference, and each group's part in its error, shape [G]."""
    difference = sum(one.area - other.area for one, other in pairs) / len(pairs)
    influence = np.mean([one.influence - other.influence for one, other in pairs], axis=0)
    return float(difference), influence


def _square_and_add(pairs: list[tuple[RankArea, RankArea]]) -> Interval:
    """Returns the difference of the two means as if they were independent: the cautious side."""
    sides = [
        area_interval(areas[0]) if len(areas) == 1 else mean_area_interval(list(areas))
        for areas in zip(*pairs, strict=True)
    ]
    return subtracted(sides[0], sides[1])
