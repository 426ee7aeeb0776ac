"""What a classifier must beat to be worth anything: always the commonest answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.evidence import Baseline, Interval
from foveal.evaluation.inputs import (
    Bools,
    Ints,
    as_labels,
    as_rows,
    as_scores,
    check_class_names,
    compact,
)
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    bounded,
    clustered_wilson,
    hull,
    mixed_groups,
)
from foveal.evaluation.paired import accuracy_difference
from foveal.evaluation.resampling import group_sums


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
    scores = as_scores(logits)
    num_images, num_classes = scores.shape
    check_class_names(list(class_names), num_classes=num_classes)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
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
