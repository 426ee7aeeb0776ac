"""The difference between two areas under the ROC curve on the same images.

With groups the influences of an area are summed within groups first (Obuchowski 1997,
Biometrics 53, 567-578), so that what the two ways of scoring share cancels out and images of one
group count as the one witness they are. With every image on its own the same arithmetic is the
test of DeLong et al. 1988 (Biometrics 44, 837-845).
"""

from __future__ import annotations

import math

import numpy as np

from foveal.evaluation.evidence import Interval
from foveal.evaluation.inputs import Floats
from foveal.evaluation.intervals import (
    NORMAL_QUANTILE,
    bounded,
    hull,
    student_quantile,
    subtracted,
)
from foveal.evaluation.ranking import (
    RankArea,
    area_interval,
    groups_behind_mean,
    mean_area_interval,
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
