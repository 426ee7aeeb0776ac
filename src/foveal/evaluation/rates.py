"""Sensitivity, specificity, PPV and NPV of yes and no answers about one class.

PPV and NPV hold for images in which the class is as common as here. Where it is not, they follow
from sensitivity, specificity and the prevalence by Bayes' theorem (Altman & Bland 1994, BMJ 309,
102): PPV = se π / (se π + (1 - sp)(1 - π)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foveal.errors import UsageError
from foveal.evaluation.inputs import Bools, Floats, Ints
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    Interval,
    bounded,
    expanded_percentiles,
    hull,
    mixed_groups,
    proportion,
)
from foveal.evaluation.resampling import (
    ResampledCounts,
    column,
    group_sums,
    ratio,
    resample_class_counts,
    resampled_sums,
)


@dataclass(frozen=True, slots=True)
class Rates:
    """How yes and no answers about one class fare: the class against the rest.

    PPV and NPV are the shares of right answers among the yes and among the no answers, at the
    prevalence of these images.
    """

    num_true_positives: int
    num_false_negatives: int
    num_false_positives: int
    num_true_negatives: int
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval


@dataclass(frozen=True, slots=True)
class AtPrevalence:
    """PPV and NPV where a share ``prevalence`` of the images is of the class."""

    prevalence: float
    ppv: Interval
    npv: Interval


@dataclass(frozen=True, slots=True)
class _Counts:
    """Sums of one class, by group or by resample: right yes, yes, of the class, all; [G] or [R]."""

    right: Floats
    yes: Floats
    present: Floats
    total: Floats

    @classmethod
    def of(cls, sums: Floats) -> _Counts:
        """Takes the four columns, in the order of the fields."""
        return cls(sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3])

    @property
    def right_no(self) -> Floats:
        return self.total - self.present - self.yes + self.right


def rates_by_class(
    labels: Ints,
    predictions: Ints,
    groups: Ints,
    *,
    num_classes: int,
    seed: int = 0,
    num_resamples: int = 2000,
    counts: ResampledCounts | None = None,
) -> tuple[Rates, ...]:
    """Returns the rates of each class when its label is the yes, [K].

    Args:
        labels: Class indices, shape [N].
        predictions: The labels that were answered, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        num_classes: K.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.
        counts: Of the same arguments, where they are known already.
    """
    if counts is None:
        counts = resample_class_counts(
            labels,
            predictions,
            groups,
            num_classes=num_classes,
            seed=seed,
            num_resamples=num_resamples,
        )
    table, drawn = counts.table, counts.drawn
    sizes = np.bincount(groups).astype(np.float64)
    drawn_sizes = drawn[:, 2 * num_classes :].sum(axis=1)
    found = []
    for k in range(num_classes):
        positions = (k, num_classes + k, 2 * num_classes + k)
        by_group = _Counts.of(np.stack([*(column(table, one) for one in positions), sizes], axis=1))
        resampled = _Counts.of(
            np.stack([*(drawn[:, one] for one in positions), drawn_sizes], axis=1)
        )
        found.append(_rates(by_group, resampled))
    return tuple(found)


def rates_of(
    is_yes: Bools,
    positive: Bools,
    groups: Ints,
    *,
    prevalence: float | None = None,
    seed: int = 0,
    num_resamples: int = 2000,
) -> tuple[Rates, AtPrevalence | None]:
    """Returns the rates of one yes or no, also at another prevalence.

    Args:
        is_yes: What was answered, shape [N].
        positive: What is true, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        prevalence: A share of images of the class, in (0, 1).
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: The prevalence is not between 0 and 1.
    """
    if prevalence is not None:
        check_prevalence(prevalence)
    columns = np.stack([is_yes & positive, is_yes, positive, np.ones_like(positive)], axis=1)
    table = group_sums(groups, columns.astype(np.float64))
    drawn = resampled_sums(table, num_resamples=num_resamples, seed=seed)
    by_group, resampled = _Counts.of(table), _Counts.of(drawn)
    found = _rates(by_group, resampled)
    if prevalence is None:
        return found, None
    return found, _at_prevalence(prevalence, found, by_group, resampled)


def check_prevalence(prevalence: float) -> None:
    """Raises UsageError unless the prevalence lies between 0 and 1."""
    if not 0.0 < prevalence < 1.0:
        raise UsageError(
            f"prevalence: got {prevalence:g}, expected a share between 0 and 1, both excluded.",
            next_step="Pass 0.02 where 2 images of 100 are of the class.",
        )


def _rates(by_group: _Counts, resampled: _Counts) -> Rates:
    negative, no = by_group.total - by_group.present, by_group.total - by_group.yes
    drawn_negative = resampled.total - resampled.present
    right, right_no = by_group.right.sum(), by_group.right_no.sum()
    return Rates(
        num_true_positives=int(right),
        num_false_negatives=int(by_group.present.sum() - right),
        num_false_positives=int(by_group.yes.sum() - right),
        num_true_negatives=int(right_no),
        sensitivity=proportion(
            by_group.right, by_group.present, ratio(resampled.right, resampled.present)
        ),
        specificity=proportion(
            by_group.right_no, negative, ratio(resampled.right_no, drawn_negative)
        ),
        ppv=proportion(by_group.right, by_group.yes, ratio(resampled.right, resampled.yes)),
        npv=proportion(
            by_group.right_no, no, ratio(resampled.right_no, resampled.total - resampled.yes)
        ),
    )


def _at_prevalence(
    prevalence: float, rates: Rates, by_group: _Counts, resampled: _Counts
) -> AtPrevalence:
    negative = by_group.total - by_group.present
    sensitivity = ratio(resampled.right, resampled.present)
    specificity = ratio(resampled.right_no, resampled.total - resampled.present)
    is_scarce = (
        min(
            mixed_groups(by_group.right, by_group.present),
            mixed_groups(by_group.right_no, negative),
        )
        < FEW_GROUPS
    )
    num_groups = min(int((by_group.present > 0).sum()), int((negative > 0).sum()))
    odds = prevalence / (1.0 - prevalence)
    intervals = []
    # PPV is o/(1 + o) of the odds o = odds se/(1 - sp); NPV of o = sp/((1 - se) odds).
    for weight, hits, misses, drawn_hits, drawn_misses in (
        (odds, rates.sensitivity, _complement(rates.specificity), sensitivity, 1.0 - specificity),
        (
            1.0 / odds,
            rates.specificity,
            _complement(rates.sensitivity),
            specificity,
            1.0 - sensitivity,
        ),
    ):
        cautious = share_of_ratio(hits, misses, weight=weight)
        if cautious.estimate is None or cautious.low is None:
            intervals.append(cautious)
            continue
        drawn = ratio(weight * drawn_hits, weight * drawn_hits + drawn_misses)
        interval = expanded_percentiles(cautious.estimate, drawn, num_groups=num_groups)
        intervals.append(hull(interval, cautious) if is_scarce else interval)
    return AtPrevalence(prevalence, *intervals)


def _complement(share: Interval) -> Interval:
    if share.estimate is None:
        return share
    low = None if share.high is None else 1.0 - share.high
    high = None if share.low is None else 1.0 - share.low
    return Interval(1.0 - share.estimate, low, high)


def share_of_ratio(first: Interval, second: Interval, *, weight: float) -> Interval:
    """Returns w a / (w a + b) of two proportions a and b, from their intervals.

    The ratio a/b has the interval of Donner & Zou (2012, Statistical Methods in Medical Research
    21, 347-359, equation 9), which needs no logarithm and so holds where a or b is 0.

    Args:
        first: a.
        second: b, independent of a.
        weight: w, above 0.
    """
    if first.estimate is None or second.estimate is None:
        return Interval(None, None, None)
    a, b = first.estimate, second.estimate
    if a == 0.0 and b == 0.0:
        return Interval(None, None, None)
    share = weight * a / (weight * a + b)
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Interval(share, None, None)
    low = _ratio_end(a, b, end_a=first.low, end_b=second.high, sign=-1.0)
    high = _ratio_end(a, b, end_a=first.high, end_b=second.low, sign=1.0)
    return bounded(share, _share_of_odds(weight * low), _share_of_odds(weight * high))


def _ratio_end(a: float, b: float, *, end_a: float, end_b: float, sign: float) -> float:
    """Returns one end of the interval of a/b; infinite where b may be 0."""
    if end_b == 0.0:
        return math.inf
    product = a * b
    beyond = end_a * end_b * (2.0 * a - end_a) * (2.0 * b - end_b)
    root = math.sqrt(max(product * product - beyond, 0.0))
    below = end_b * (2.0 * b - end_b)
    if below == 0.0:  # the limit of the expression below, as its root meets the product
        return end_a * (2.0 * a - end_a) / (2.0 * product) if product else 0.0
    return max((product + sign * root) / below, 0.0)


def _share_of_odds(odds: float) -> float:
    return 1.0 if math.isinf(odds) else odds / (1.0 + odds)
