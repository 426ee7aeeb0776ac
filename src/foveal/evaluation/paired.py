"""The difference between two ways of answering the same images.

Both are judged on the same resampled groups, so what they share cancels out.
"""

from __future__ import annotations

import math

import numpy as np

from foveal.evaluation.evidence import Interval
from foveal.evaluation.inputs import Bools, Ints
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    bounded,
    clustered_wilson,
    expanded_percentiles,
    hull,
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
    difference = float((gains.sum() - losses.sum()) / sizes.sum())
    resampled = resampled_sums(sums, num_resamples=num_resamples, seed=seed)
    interval = expanded_percentiles(
        difference,
        (resampled[:, 0] - resampled[:, 1]) / resampled[:, 2],
        num_groups=len(sums),
        lowest=-1.0,
    )
    if int(((gains > 0) | (losses > 0)).sum()) >= FEW_GROUPS:
        return interval
    gain, loss = clustered_wilson(gains, sizes), clustered_wilson(losses, sizes)
    if (
        gain.estimate is None
        or loss.estimate is None
        or gain.low is None
        or gain.high is None
        or loss.low is None
        or loss.high is None
    ):
        return interval
    below = math.hypot(gain.estimate - gain.low, loss.high - loss.estimate)
    above = math.hypot(gain.high - gain.estimate, loss.estimate - loss.low)
    return hull(interval, bounded(difference, difference - below, difference + above, lowest=-1.0))
