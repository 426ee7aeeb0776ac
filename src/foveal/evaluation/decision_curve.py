"""Decision curves: what acting on a probability is worth, against acting on all and on none.

Who acts from a probability of t on holds that a missed case is as bad as (1 - t)/t false alarms.
At that exchange the net benefit, in true positives an image, is TP/N - FP/N · t/(1 - t) (Vickers &
Elkin 2006, Medical Decision Making 26, 565-574). Acting on none gives 0, acting on all
π - (1 - π) t/(1 - t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foveal.draw.numbers import percent
from foveal.evaluation.curves import MAX_CURVES
from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    as_rows,
    check_class_names,
    compact,
)
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    Interval,
    clustered_wilson,
    hull,
    mixed_groups,
    student_quantile,
)
from foveal.evaluation.resampling import group_sums
from foveal.text import printable

THRESHOLDS: tuple[float, ...] = tuple(k / 100 for k in range(1, 100))


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit of acting on one class's probability, by threshold.

    All arrays have one entry a threshold. ``treat_all`` is what acting on every image would give;
    acting on none gives 0. ``over_all_low`` and ``over_all_high`` enclose the paired difference
    from acting on all.
    """

    name: str
    prevalence: float
    thresholds: tuple[float, ...]
    net_benefit: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    treat_all: tuple[float, ...]
    over_all_low: tuple[float | None, ...]
    over_all_high: tuple[float | None, ...]

    def useful(self) -> tuple[tuple[float, float], ...]:
        """Returns the ranges of thresholds at which it beats both, as far as intervals tell."""
        return self._ranges(
            [
                low is not None and over is not None and low > 0.0 and over > 0.0
                for low, over in zip(self.low, self.over_all_low, strict=True)
            ]
        )

    def harmful(self) -> tuple[tuple[float, float], ...]:
        """Returns the ranges at which acting on all or on none beats it, as intervals tell."""
        return self._ranges(
            [
                (high is not None and high < 0.0) or (over is not None and over < 0.0)
                for high, over in zip(self.high, self.over_all_high, strict=True)
            ]
        )

    def _ranges(self, holds: Sequence[bool]) -> tuple[tuple[float, float], ...]:
        found: list[tuple[float, float]] = []
        is_open = False
        for threshold, here in zip(self.thresholds, holds, strict=True):
            if here and is_open:
                found[-1] = (found[-1][0], threshold)
            elif here:
                found.append((threshold, threshold))
            is_open = here
        return tuple(found)


def describe_decision_curve(curve: DecisionCurve) -> str:
    """Returns for whom acting on the probability is worth it, as a sentence."""
    name = printable(curve.name)
    useful, harmful = curve.useful(), curve.harmful()
    if all(low is None for low in curve.low):
        return f"For '{name}': one group alone has no interval, so nothing can be said."
    if not useful:
        text = (
            f"For '{name}': at no threshold is acting on the probability shown to be worth more "
            "than acting on all images or on none"
        )
    else:
        text = (
            f"For '{name}': acting on its probability is worth more than acting on all images or "
            f"on none for thresholds {_spans(useful)}"
        )
    if harmful:
        text += f"; it is worth less than the better of them {_spans(harmful)}"
    return f"{text}."


def _spans(ranges: Sequence[tuple[float, float]]) -> str:
    told = [
        f"at {percent(low)}" if low == high else f"from {percent(low)} to {percent(high)}"
        for low, high in ranges
    ]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def measure_decision_curves(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    only: Sequence[str] | None = None,
) -> tuple[DecisionCurve, ...]:
    """Returns a decision curve a class that has images on both sides, in the classes' order.

    Args:
        probabilities: Calibrated and out of fold, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class.
        only: Names of the classes to take; by default all, and the first ``MAX_CURVES`` of more.

    Raises:
        UsageError: Shapes disagree, or rows are no distributions.
    """
    values = as_probabilities(probabilities)
    num_images, num_classes = values.shape
    check_class_names(list(class_names), num_classes=num_classes)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
    present = np.bincount(truth, minlength=num_classes)
    wanted = [
        k
        for k in range(num_classes)
        if 0 < present[k] < num_images and (only is None or class_names[k] in only)
    ][:MAX_CURVES]
    return tuple(_curve(class_names[k], values[:, k], truth == k, members) for k in wanted)


def _curve(name: str, scores: Floats, positive: Bools, groups: Ints) -> DecisionCurve:
    sizes = np.bincount(groups).astype(np.float64)
    total, num_positive = float(len(scores)), float(positive.sum())
    prevalence = num_positive / total
    reached = np.searchsorted(THRESHOLDS, scores, side="right")
    missed, spared = group_sums(groups, np.stack([positive, ~positive], axis=1).astype(float)).T
    hits, alarms = np.zeros((2, len(sizes)))
    # From the highest threshold down, images join those that are acted on.
    order = np.argsort(-reached, kind="stable")
    ends = np.searchsorted(
        -reached[order], [-position - 1 for position in range(len(THRESHOLDS))], "right"
    )
    over_none, over_all, start = [], [], 0
    for position in reversed(range(len(THRESHOLDS))):
        joining = order[start : ends[position]]
        start = int(ends[position])
        for kind, counts, others in (
            (positive[joining], hits, missed),
            (~positive[joining], alarms, spared),
        ):
            np.add.at(counts, groups[joining[kind]], 1.0)
            np.subtract.at(others, groups[joining[kind]], 1.0)
        weight = THRESHOLDS[position] / (1.0 - THRESHOLDS[position])
        over_none.append(_interval((hits, alarms), (1.0, -weight), sizes))
        over_all.append(_interval((spared, missed), (weight, -1.0), sizes))
    over_none.reverse()
    over_all.reverse()
    return DecisionCurve(
        name=name,
        prevalence=prevalence,
        thresholds=THRESHOLDS,
        net_benefit=tuple(one.estimate or 0.0 for one in over_none),
        low=tuple(one.low for one in over_none),
        high=tuple(one.high for one in over_none),
        treat_all=tuple(prevalence - (1.0 - prevalence) * t / (1.0 - t) for t in THRESHOLDS),
        over_all_low=tuple(one.low for one in over_all),
        over_all_high=tuple(one.high for one in over_all),
    )


def _interval(
    parts: tuple[Floats, Floats], weights: tuple[float, float], sizes: Floats
) -> Interval:
    """Returns w₁ a + w₂ b of two shares of all images, with its interval over groups.

    It is a mean over images, so its variance over groups is that of a ratio mean in closed form
    (Cochran 1977, section 11.8), with Student's t. Where few groups have any of the one or the
    other, it is widened to cover square and add of their Wilson intervals (Zou & Donner 2008).

    Args:
        parts: Counts by group, [G] each.
        weights: w₁ and w₂.
        sizes: Images by group, [G].
    """
    total, num_groups = sizes.sum(), len(sizes)
    sums = weights[0] * parts[0] + weights[1] * parts[1]
    estimate = float(parts[0].sum() * weights[0] + parts[1].sum() * weights[1]) / float(total)
    if num_groups < 2:
        return Interval(estimate, None, None)
    errors = sums - estimate * sizes
    variance = float((errors**2).sum()) * num_groups / (num_groups - 1.0) / float(total) ** 2
    reach = student_quantile(num_groups) * math.sqrt(variance)
    interval = Interval(estimate, estimate - reach, estimate + reach)
    if min(mixed_groups(part, sizes) for part in parts) >= FEW_GROUPS:
        return interval
    below = above = 0.0
    for part, weight in zip(parts, weights, strict=True):
        share = clustered_wilson(part, sizes)
        if share.estimate is None or share.low is None or share.high is None:
            return Interval(estimate, None, None)
        down, up = share.estimate - share.low, share.high - share.estimate
        if weight < 0.0:
            down, up = up, down
        below += (weight * down) ** 2
        above += (weight * up) ** 2
    cautious = Interval(estimate, estimate - math.sqrt(below), estimate + math.sqrt(above))
    return hull(interval, cautious)
