"""The threshold on one class's probability that does what was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foveal.evaluation.inputs import Bools, Floats
from foveal.evaluation.operating_rule import LeastCost, Measure, Rule
from foveal.evaluation.resampling import ratio


@dataclass(frozen=True, slots=True)
class Cut:
    """A threshold on one class's probability, and what it reaches on the images that chose it.

    ``value`` is the measure that was asked for, or the mean cost; ``is_reached`` whether it is
    what was asked, else it is the nearest.
    """

    threshold: float
    value: float
    is_reached: bool


def choose_cut(scores: Floats, positive: Bools, rule: Rule) -> Cut | None:
    """Returns the threshold that does what a rule asks; ``None`` where a side has no image.

    Thresholds lie halfway between two scores that occur, so that the last digit of a score does
    not turn an answer. Of those that reach a sensitivity or NPV the highest is taken, of those
    that reach a specificity or PPV the lowest: it costs least of the other side. Answering none
    at all is no way to reach a rate. Of equal costs the highest threshold is taken.

    Args:
        scores: Of the class, shape [N].
        positive: Whether the image is of the class, shape [N].
        rule: What is asked.
    """
    num_positive = int(positive.sum())
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    levels = ordered[ends]
    hits = np.cumsum(positive[order])[ends].astype(np.float64)
    alarms = ends + 1.0 - hits
    if isinstance(rule, LeastCost):
        return _cheapest(levels, hits, alarms, rule, num_positive)
    values = _reached(rule.measure, hits, alarms, num_positive, num_negative)
    reached = np.flatnonzero(values >= rule.target)
    if reached.size:
        position = int(reached[0] if rule.measure in ("sensitivity", "npv") else reached[-1])
    else:
        position = int(np.nanargmax(values)) if np.isfinite(values).any() else 0
    value = float(values[position])
    return Cut(_between(levels, position), 0.0 if math.isnan(value) else value, reached.size > 0)


def _reached(
    measure: Measure, hits: Floats, alarms: Floats, num_positive: int, num_negative: int
) -> Floats:
    """Returns the measure at each threshold, [L]; NaN where it is undefined."""
    if measure == "sensitivity":
        return hits / num_positive
    if measure == "specificity":
        return (num_negative - alarms) / num_negative
    if measure == "ppv":
        return hits / (hits + alarms)
    return ratio(num_negative - alarms, num_positive + num_negative - (hits + alarms))


def _cheapest(levels: Floats, hits: Floats, alarms: Floats, rule: LeastCost, num: int) -> Cut:
    total = hits[-1] + alarms[-1]
    costs = (rule.missed * (num - hits) + rule.false * alarms) / total
    none = rule.missed * num / total
    position = int(costs.argmin())
    if none <= costs[position]:
        top = float(levels[0])
        never = (top + 1.0) / 2.0 if top < (top + 1.0) / 2.0 else math.nextafter(1.0, 2.0)
        return Cut(never, none, True)
    return Cut(_between(levels, position), float(costs[position]), True)


def _between(levels: Floats, position: int) -> float:
    level = float(levels[position])
    below = float(levels[position + 1]) if position + 1 < len(levels) else 0.0
    middle = (level + below) / 2.0
    return middle if middle > below else level
