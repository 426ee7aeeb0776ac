"""Area under the ROC curve, one class against the rest, with groups.

The area is the probability that an image of the class scores above one of the rest, ties
counting half (Hanley & McNeil 1982). Its variance comes from the placement of each image
among those of the other side (DeLong et al. 1988), summed within groups first
(Obuchowski 1997, Biometrics 53, 567-578, equation 3): exact sums instead of thousands of
re-rankings, and no random numbers. The interval is symmetric on the logit scale with
Student's t, so it stays inside [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foveal.evaluation.inputs import Bools, Floats, Ints
from foveal.evaluation.intervals import Interval, bounded, hull, mean_of, student_quantile, wilson
from foveal.evaluation.resampling import num_distinct

# Fewer groups than this with an image out of order, on either side, and the variance
# cannot be read off the data.
_FEW_OUT_OF_ORDER = 3


@dataclass(frozen=True, slots=True)
class RankArea:
    """One area with what its interval needs.

    ``influence`` [G] is each group's part in the area's error, its squares sum to the
    variance; ``num_groups`` is that of the side with fewer; ``is_sparse`` says that too few
    images are out of order for a variance.
    """

    area: float
    influence: Floats
    num_groups: int
    is_sparse: bool


def rank_area(scores: Floats, positive: Bools, groups: Ints) -> RankArea | None:
    """Returns the area under the ROC curve, or None where one side has no image.

    Args:
        scores: Higher means more likely positive, shape [N].
        positive: Shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
    """
    total_groups = int(groups.max()) + 1
    above, below = scores[positive], scores[~positive]
    if above.size == 0 or below.size == 0:
        return None
    above_placement = _share_below(above, below)
    below_placement = 1.0 - _share_below(below, above)
    area = float(above_placement.mean())
    influence = np.zeros(total_groups)
    sides = []
    for placement, members in (
        (above_placement, groups[positive]),
        (below_placement, groups[~positive]),
    ):
        weights = (placement - area) / len(placement)
        part: Floats = np.zeros(total_groups)
        np.add.at(part, members, weights)
        num_groups = num_distinct(members)
        if num_groups > 1:
            part = part * math.sqrt(num_groups / (num_groups - 1.0))
        influence += part
        sides.append(
            (
                num_groups,
                num_distinct(members[placement < 1.0]),
                num_distinct(members[placement > 0.0]),
            )
        )
    return RankArea(
        area=area,
        influence=influence,
        num_groups=min(side[0] for side in sides),
        is_sparse=min(min(side[1:]) for side in sides) < _FEW_OUT_OF_ORDER,
    )


def _share_below(values: Floats, others: Floats) -> Floats:
    """Returns for each value the share of the others that it exceeds, ties counting half."""
    ordered = np.sort(others)
    strictly = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    result: Floats = (strictly + up_to) / (2.0 * len(others))
    return result


def area_interval(result: RankArea | None) -> Interval:
    """Returns the 95% interval of one area."""
    if result is None:
        return Interval(None, None, None)
    if result.num_groups < 2:
        return Interval(result.area, None, None)
    deviation = math.sqrt(float((result.influence**2).sum()))
    interval = _logit_interval(result.area, deviation, student_quantile(result.num_groups))
    if not result.is_sparse:
        return interval
    # The variance of an area is at most A(1 - A)/min(m, n) (Birnbaum & Klose 1957): it is
    # at worst a proportion of so many, here of groups.
    return hull(interval, wilson(result.area * result.num_groups, result.num_groups))


def mean_area_interval(results: list[RankArea | None]) -> Interval:
    """Returns the unweighted mean of the defined areas with its 95% interval.

    The influences are averaged group by group, so what the classes share is accounted for.
    """
    known = [result for result in results if result is not None]
    if not known:
        return Interval(None, None, None)
    area = sum(result.area for result in known) / len(known)
    if any(result.num_groups < 2 for result in known):
        # A class seen in one group says nothing about how far the next one would move.
        return Interval(area, None, None)
    influence = np.mean([result.influence for result in known], axis=0)
    num_groups = groups_behind_mean([(result.influence, result.num_groups) for result in known])
    deviation = math.sqrt(float((influence**2).sum()))
    interval = _logit_interval(area, deviation, student_quantile(num_groups))
    if not any(result.is_sparse for result in known):
        return interval
    return hull(interval, mean_of([area_interval(result) for result in known]))


def groups_behind_mean(parts: list[tuple[Floats, int]]) -> float:
    """Returns how many groups the variance of a mean over classes rests on.

    Satterthwaite (1946): degrees of freedom of a sum of variances, plus one. The classes share
    their groups, so there is no more freedom than groups but one.

    Args:
        parts: Of each class the influences, shape [G], and its number of groups.
    """
    influence = np.mean([part for part, _ in parts], axis=0)
    variances = [float((part**2).sum()) for part, _ in parts]
    pooled = sum(
        variance**2 / (num_groups - 1)
        for variance, (_, num_groups) in zip(variances, parts, strict=True)
    )
    freedom = sum(variances) ** 2 / pooled if pooled > 0 else min(count for _, count in parts) - 1
    return min(freedom + 1.0, float(np.count_nonzero(influence)))


def _logit_interval(area: float, deviation: float, quantile: float) -> Interval:
    if not 0.0 < area < 1.0:
        return Interval(area, area, area)
    logit = math.log(area / (1.0 - area))
    reach = quantile * deviation / (area * (1.0 - area))
    return bounded(area, _expit(logit - reach), _expit(logit + reach))


def _expit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value > -700.0 else 0.0
