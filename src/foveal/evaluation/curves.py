"""ROC and precision-recall curves of one class against the rest, with bands over groups.

A curve is read at fixed points, so that bands and tables have rows: the sensitivity at given
false-positive rates, and the PPV at given sensitivities. No value is interpolated: it is that of
the last threshold that keeps to the false-positive rate, or the first that reaches the sensitivity
(Davis & Goadrich 2006 on why a precision-recall curve must not be joined by lines). A band is
pointwise: each interval is for its own point, and all of them together hold less often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    check_inputs,
    log_softmax,
)
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    Interval,
    clustered_wilson,
    expanded_percentiles,
    hull,
    mixed_groups,
)
from foveal.evaluation.ranking import RankArea, area_interval, rank_area
from foveal.evaluation.resampling import group_sums, num_distinct, ratio, resampled_sums

MAX_CURVES = 12
"""Of more classes, only the weakest have their curves drawn and written."""

POINTS: tuple[float, ...] = (
    *(k / 100 for k in range(11)),
    *(k / 100 for k in range(15, 90, 5)),
    *(k / 100 for k in range(90, 101)),
)
"""Where curves are read: densely near both ends, where thresholds are chosen."""

# Resampled curves have as many steps as there are quantiles on either side.
_NUM_QUANTILES = 64


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve read at fixed points, with a band of 95% intervals, each for its own point."""

    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ClassCurves:
    """One class against the rest at every threshold.

    ``roc`` is the sensitivity at given false-positive rates; ``precision_recall`` the PPV at
    given sensitivities. ``average_precision`` is the area under the second, as steps.
    """

    name: str
    num_images: int
    auroc: Interval
    average_precision: Interval
    roc: Curve
    precision_recall: Curve


def measure_curves(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
    num_resamples: int = 1000,
    areas: Sequence[RankArea | None] | None = None,
) -> tuple[ClassCurves, ...]:
    """Returns the curves of each class that has images on both sides, in the classes' order.

    Scores are the log probabilities at temperature 1, those of the AUROC, which is the area
    under ``roc``. Of more than ``MAX_CURVES`` classes, those with the smallest areas are taken.

    Args:
        logits: Out of fold, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.
        areas: Those under the ROC curve, one a class, where they are known already.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth = checked.scores, checked.labels
    members, num_groups = checked.members, checked.num_groups
    num_classes = scores.shape[1]
    scores = log_softmax(scores)
    if areas is None:
        areas = [rank_area(scores[:, k], truth == k, members) for k in range(num_classes)]
    known = {k: area for k, area in enumerate(areas) if area is not None}
    weakest = sorted(known, key=lambda k: known[k].area)[:MAX_CURVES]
    drawn = sorted(weakest)
    steps = {k: _Steps.of(scores[:, k], truth == k, members) for k in drawn}
    tables = [steps[k].table for k in drawn]
    sums = _resampled(tables, num_groups, num_resamples=num_resamples, seed=seed)
    return tuple(
        _curves(class_names[k], steps[k], known[k], drawn_sums)
        for k, drawn_sums in zip(drawn, sums, strict=True)
    )


def _resampled(
    tables: list[Any], num_groups: int, *, num_resamples: int, seed: int
) -> list[Floats]:
    from scipy import sparse

    if not tables:
        return []
    whole = sparse.hstack(tables, format="csc")
    drawn = resampled_sums(whole, num_resamples=num_resamples, seed=seed)
    ends = np.cumsum([table.shape[1] for table in tables])[:-1]
    return np.split(drawn, ends, axis=1)


@dataclass(frozen=True, slots=True)
class _Steps:
    """One class's images by falling score, and their counts by group between thresholds.

    ``hits`` and ``alarms`` count images of the class and others from the highest score down to
    each level that occurs, [L]. ``table`` [G, 2B] is sparse: of the class, then others, between
    B thresholds.
    """

    scores: Floats
    positive: Bools
    groups: Ints
    levels: Floats
    hits: Floats
    alarms: Floats
    table: Any

    @classmethod
    def of(cls, scores: Floats, positive: Bools, groups: Ints) -> _Steps:
        from scipy import sparse

        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
        hits = np.cumsum(positive[order])[ends].astype(np.float64)
        edges = np.unique(np.concatenate([_quantiles(scores[positive]), _quantiles(scores)]))
        # Falling: the first step holds what lies at the highest edge or above.
        bins = len(edges) - np.searchsorted(edges, scores, side="right")
        num_bins = int(bins.max()) + 1
        columns = np.where(positive, bins, num_bins + bins)
        shape = (int(groups.max()) + 1, 2 * num_bins)
        ones = np.ones(len(scores), np.float64)
        table = sparse.csc_array((ones, (groups, columns)), shape=shape)
        return cls(scores, positive, groups, ordered[ends], hits, ends + 1.0 - hits, table)


def _quantiles(scores: Floats) -> Floats:
    points = np.linspace(0, len(scores) - 1, min(_NUM_QUANTILES, len(scores))).astype(np.int64)
    found: Floats = np.sort(scores)[points]
    return found


def _curves(name: str, steps: _Steps, area: RankArea, drawn: Floats) -> ClassCurves:
    hits, alarms = np.split(drawn, 2, axis=1)
    hits, alarms = np.cumsum(hits, axis=1), np.cumsum(alarms, axis=1)
    precision = average_precision(steps.hits, steps.alarms)
    return ClassCurves(
        name=name,
        num_images=int(steps.positive.sum()),
        auroc=area_interval(area),
        average_precision=expanded_percentiles(
            float(precision[0]),
            average_precision(hits, alarms),
            num_groups=min(
                num_distinct(steps.groups[steps.positive]),
                num_distinct(steps.groups[~steps.positive]),
            ),
        ),
        roc=_curve(steps, hits, alarms, "roc"),
        precision_recall=_curve(steps, hits, alarms, "precision-recall"),
    )


def average_precision(hits: Floats, alarms: Floats) -> Floats:
    """Returns the sum of precision times the step of recall, shape [R].

    Args:
        hits: Images of the class down to each threshold, shape [L] or [R, L].
        alarms: Others, of the same shape.
    """
    hits, alarms = np.atleast_2d(hits), np.atleast_2d(alarms)
    precision = np.nan_to_num(ratio(hits, hits + alarms))
    gained = np.diff(hits, axis=1, prepend=0.0)
    return ratio((precision * gained).sum(axis=1), hits[:, -1])


def _curve(
    steps: _Steps, hits: Floats, alarms: Floats, kind: Literal["roc", "precision-recall"]
) -> Curve:
    read = _sensitivity_at if kind == "roc" else _precision_at
    values, lows, highs = [], [], []
    for point in POINTS:
        seen, at = read(steps.hits[None], steps.alarms[None], point)
        value, step = float(seen[0]), int(at[0])
        interval = _interval(steps, value, step, read(hits, alarms, point)[0], kind)
        values.append(value)
        lows.append(interval.low)
        highs.append(interval.high)
    return Curve(POINTS, tuple(values), tuple(lows), tuple(highs))


def _sensitivity_at(hits: Floats, alarms: Floats, point: float) -> tuple[Floats, Ints]:
    """Returns the sensitivity at a false-positive rate, and the step where it is read, [R]."""
    allowed = point * alarms[:, -1:] + 1e-9
    steps = (alarms <= allowed).sum(axis=1) - 1
    rows = np.arange(len(hits))
    found = np.where(steps >= 0, hits[rows, np.maximum(steps, 0)], 0.0)
    return ratio(found, hits[:, -1]), steps


def _precision_at(hits: Floats, alarms: Floats, point: float) -> tuple[Floats, Ints]:
    """Returns the PPV at a sensitivity, and the step where it is read, [R]."""
    wanted = point * hits[:, -1:] - 1e-9
    steps = np.minimum((hits < wanted).sum(axis=1), hits.shape[1] - 1)
    rows = np.arange(len(hits))
    found = hits[rows, steps]
    return ratio(found, found + alarms[rows, steps]), steps


def _interval(
    steps: _Steps,
    value: float,
    step: int,
    drawn: Floats,
    kind: Literal["roc", "precision-recall"],
) -> Interval:
    is_yes = (
        steps.scores >= steps.levels[step] if step >= 0 else np.zeros(len(steps.scores), dtype=bool)
    )
    counted = steps.positive if kind == "roc" else is_yes
    columns = np.stack([is_yes & steps.positive, counted], axis=1).astype(np.float64)
    hits, totals = group_sums(steps.groups, columns).T
    num_groups = int((totals > 0).sum())
    if kind == "roc" and is_yes.all() and num_groups > 1:
        return Interval(1.0, 1.0, 1.0)  # every image is called so: no other sample could differ
    interval = expanded_percentiles(value, drawn, num_groups=num_groups)
    if mixed_groups(hits, totals) >= FEW_GROUPS:
        return interval
    return hull(interval, clustered_wilson(hits, totals))
