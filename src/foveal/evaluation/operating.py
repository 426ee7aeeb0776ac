"""Operating points: from which probability on a class is the answer.

A threshold is chosen by what was asked for (``operating_rule``), on answers to images that the
classifier had not seen. Chosen and judged on the same answers it would look better than it is. So
each fold's images are judged at the threshold that the other folds chose, as everything here that
is fitted to predictions (Varma & Simon 2006, BMC Bioinformatics 7, 91, on why).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.calibration import fit_temperature
from foveal.evaluation.inputs import (
    Bools,
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    as_rows,
    check_inputs,
    compact,
    cross_fitting_folds,
    softmax,
)
from foveal.evaluation.interval import Interval
from foveal.evaluation.intervals import expanded_percentiles, proportion
from foveal.evaluation.operating_point import ChosenPoint, MeanCost, OperatingPoint, decide
from foveal.evaluation.operating_rule import AtLeast, LeastCost, Measure, Rule, find_class
from foveal.evaluation.rates import AtPrevalence, Rates, rates_of
from foveal.evaluation.resampling import group_sums, ratio, resampled_sums


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


def choose_operating_point(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    fold_index: ArrayLike,
    *,
    rule: Rule,
    class_names: Sequence[str],
    temperature: float,
    prevalence: float | None = None,
    seed: int = 0,
    num_resamples: int = 2000,
) -> ChosenPoint:
    """Returns the threshold for new images, and figures of thresholds that other folds chose.

    A hold-out is split in two halves by group. Temperatures are cross-fitted as thresholds are.

    Args:
        logits: Out of fold, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        fold_index: Fold in which each image was held out, shape [N].
        rule: What is asked.
        class_names: One name a class.
        temperature: The classifier's; exactly 1 where scaling is left out.
        prevalence: A share in (0, 1) at which PPV and NPV are told as well.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, the class does not exist, or the prevalence cannot be.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth, members = checked.scores, checked.labels, checked.members
    num_images = len(scores)
    folds = cross_fitting_folds(
        as_rows(fold_index, num_images=num_images, name="fold_index"), members
    )
    index = find_class(rule, class_names)
    name, positive = class_names[index], truth == index
    final = choose_cut(softmax(scores, temperature=temperature)[:, index], positive, rule)
    if final is None:
        which = "no image" if not positive.any() else "no image but those"
        return _unjudged(rule, name, f"{which.capitalize()} of '{name}' was judged.")
    if not final.is_reached:
        assert isinstance(rule, AtLeast)
        return _unjudged(rule, name, _describe_short(rule, name, final))
    point = OperatingPoint(name, index, final.threshold, rule.text)
    answers = np.empty(num_images, np.int64)
    thresholds, num_short = [], 0
    for fold in range(int(folds.max()) + 1):
        held_out, rest = folds == fold, folds != fold
        scale = 1.0
        if rest.any() and temperature != 1.0:
            scale = fit_temperature(scores[rest], truth[rest])
        others = softmax(scores[rest], temperature=scale)[:, index]
        cut = choose_cut(others, positive[rest], rule) if rest.any() else None
        if cut is None:
            why = (
                "all judged images are one group"
                if not rest.any()
                else f"the images of '{name}', or all others, lie in one fold alone"
            )
            return _unjudged(
                rule, name, f"The threshold could not be judged on other images: {why}.", point
            )
        thresholds.append(cut.threshold)
        num_short += not cut.is_reached
        probabilities = softmax(scores[held_out], temperature=scale)
        answers[held_out] = decide(
            probabilities, OperatingPoint(name, index, cut.threshold, rule.text)
        )
    judged = _judge(
        answers,
        scores.argmax(axis=1).astype(np.int64),
        truth,
        members,
        rule=rule,
        index=index,
        prevalence=prevalence,
        seed=seed,
        num_resamples=num_resamples,
    )
    return ChosenPoint(rule.text, name, point, tuple(thresholds), num_short, *judged)


def assess_operating_point(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    point: OperatingPoint,
    rule: Rule,
    prevalence: float | None = None,
    seed: int = 0,
    num_resamples: int = 2000,
) -> ChosenPoint:
    """Returns how a given operating point does on new images.

    Args:
        probabilities: Calibrated, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        point: From the training.
        rule: What the point was chosen by.
        prevalence: A share in (0, 1) at which PPV and NPV are told as well.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, or the prevalence cannot be.
    """
    values = as_probabilities(probabilities)
    num_images, num_classes = values.shape
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
    judged = _judge(
        decide(values, point),
        decide(values, None),
        truth,
        members,
        rule=rule,
        index=point.class_index,
        prevalence=prevalence,
        seed=seed,
        num_resamples=num_resamples,
    )
    return ChosenPoint(point.rule, point.class_name, point, (), 0, *judged)


def _judge(
    answers: Ints,
    likeliest: Ints,
    truth: Ints,
    members: Ints,
    *,
    rule: Rule,
    index: int,
    prevalence: float | None,
    seed: int,
    num_resamples: int,
) -> tuple[Rates, Interval, AtPrevalence | None, MeanCost | None]:
    rates, elsewhere = rates_of(
        answers == index,
        truth == index,
        members,
        prevalence=prevalence,
        seed=seed,
        num_resamples=num_resamples,
    )
    columns = [answers == truth, np.ones_like(truth, dtype=bool)]
    if isinstance(rule, LeastCost):
        columns += [_costs(answers, truth, index, rule), _costs(likeliest, truth, index, rule)]
    table = group_sums(members, np.stack(columns, axis=1).astype(np.float64))
    drawn = resampled_sums(table, num_resamples=num_resamples, seed=seed)
    accuracy = proportion(table[:, 0], table[:, 1], drawn[:, 0] / drawn[:, 1])
    if not isinstance(rule, LeastCost):
        return rates, accuracy, elsewhere, None
    per_image = drawn[:, 2] / drawn[:, 1]
    saved = (drawn[:, 3] - drawn[:, 2]) / drawn[:, 1]
    total, cost, plain = table[:, 1].sum(), table[:, 2].sum(), table[:, 3].sum()
    mean = _unbounded(cost / total, per_image, len(table), lowest=0.0)
    gain = _unbounded((plain - cost) / total, saved, len(table), lowest=-math.inf)
    spent = MeanCost(cost / total, mean.low, mean.high, gain.estimate or 0.0, gain.low, gain.high)
    return rates, accuracy, elsewhere, spent


def _unbounded(estimate: float, drawn: Floats, num_groups: int, *, lowest: float) -> Interval:
    return expanded_percentiles(
        float(estimate), drawn, num_groups=num_groups, lowest=lowest, highest=math.inf
    )


def _costs(answers: Ints, truth: Ints, index: int, rule: LeastCost) -> Floats:
    missed = (truth == index) & (answers != index)
    false = (truth != index) & (answers == index)
    costs: Floats = rule.missed * missed + rule.false * false
    return costs


def _unjudged(
    rule: Rule, name: str, reason: str, point: OperatingPoint | None = None
) -> ChosenPoint:
    return ChosenPoint(rule.text, name, point, (), 0, None, None, None, None, reason)


def _describe_short(rule: AtLeast, name: str, nearest: Cut) -> str:
    reached = f"{100 * nearest.value:.4g}%"
    floor = math.floor(1000 * nearest.value) / 1000
    return (
        f"No threshold on '{name}' gives {rule.spoken} on the held-out answers; the nearest is "
        f"{reached}, at a probability of {nearest.threshold:.3g}. So the label is the likeliest "
        f'class, as without it. To take the nearest: --operate "{rule.measure}>={floor:.3g} for '
        f'{name}".'
    )
