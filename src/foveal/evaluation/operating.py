"""Operating points: from which probability on a class is the answer.

A threshold is chosen by what was asked for (``operating_rule``), on answers to images that the
classifier had not seen. Chosen and judged on the same answers it would look better than it is. So
each fold's images are judged at the threshold that the other folds chose, as everything here that
is fitted to predictions (Varma & Simon 2006, BMC Bioinformatics 7, 91, on why).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.calibration import fit_temperature
from foveal.evaluation.inputs import (
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
from foveal.evaluation.intervals import Interval, bounded, expanded_percentiles, proportion
from foveal.evaluation.operating_cut import Cut, choose_cut
from foveal.evaluation.operating_point import ChosenPoint, MeanCost, OperatingPoint, decide
from foveal.evaluation.operating_rule import AtLeast, LeastCost, Rule, find_class
from foveal.evaluation.rates import AtPrevalence, Rates, rates_of
from foveal.evaluation.resampling import group_sums, ratio, resampled_sums


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
    thresholds, by_fold, num_short = [], [], 0
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
        own = OperatingPoint(name, index, cut.threshold, rule.text)
        by_fold.append(decide(softmax(scores, temperature=scale), own))
        answers[held_out] = by_fold[-1][held_out]
    whole = decide(softmax(scores, temperature=temperature), point)
    shifts = np.average(
        [_figures(one, truth, index, rule, prevalence) for one in by_fold],
        axis=0,
        weights=np.bincount(folds),
    ) - _figures(whole, truth, index, rule, prevalence)
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
    found = ChosenPoint(rule.text, name, point, tuple(thresholds), num_short, *judged)
    return _widened(found, shifts)


def _figures(
    answers: Ints, truth: Ints, index: int, rule: Rule, prevalence: float | None
) -> Floats:
    """Returns the figures that :func:`_widened` knows, in its order; NaN where undefined."""
    yes, positive = answers == index, truth == index
    tp, fp = float((yes & positive).sum()), float((yes & ~positive).sum())
    fn, tn = float((~yes & positive).sum()), float((~yes & ~positive).sum())
    odds = math.nan if prevalence is None else prevalence / (1.0 - prevalence)
    se, sp = tp / (tp + fn), tn / (tn + fp)
    cost = _costs(answers, truth, index, rule).mean() if isinstance(rule, LeastCost) else math.nan
    shares = ratio(
        np.array([tp, tn, odds * se, sp]),
        np.array([tp + fp, tn + fn, odds * se + 1.0 - sp, sp + (1.0 - se) * odds]),
    )
    return np.array([se, sp, *shares, float((answers == truth).mean()), cost])


def _widened(found: ChosenPoint, shifts: Floats) -> ChosenPoint:
    """Returns figures whose intervals hold for the final threshold as well.

    Folds choose other thresholds than all images do. By how much a figure differs for that is
    seen where both are applied to all images; the interval is widened to cover it. Without this
    95% intervals of the rate that was not asked for cover 73 to 93% where the class is rare.
    """
    rates, elsewhere, cost = found.rates, found.at_prevalence, found.cost
    if rates is None or found.accuracy is None:
        return found
    rates = replace(
        rates,
        sensitivity=_shifted(rates.sensitivity, shifts[0]),
        specificity=_shifted(rates.specificity, shifts[1]),
        ppv=_shifted(rates.ppv, shifts[2]),
        npv=_shifted(rates.npv, shifts[3]),
    )
    if elsewhere is not None:
        elsewhere = replace(
            elsewhere,
            ppv=_shifted(elsewhere.ppv, shifts[4]),
            npv=_shifted(elsewhere.npv, shifts[5]),
        )
    if cost is not None and cost.low is not None and cost.high is not None:
        spent = _shifted(Interval(cost.per_image, cost.low, cost.high), shifts[7], highest=math.inf)
        saved = _shifted(
            Interval(cost.saved, cost.saved_low, cost.saved_high),
            -shifts[7],
            lowest=-math.inf,
            highest=math.inf,
        )
        cost = replace(
            cost, low=spent.low, high=spent.high, saved_low=saved.low, saved_high=saved.high
        )
    return replace(
        found,
        rates=rates,
        accuracy=_shifted(found.accuracy, shifts[6]),
        at_prevalence=elsewhere,
        cost=cost,
    )


def _shifted(
    interval: Interval, shift: float, *, lowest: float = 0.0, highest: float = 1.0
) -> Interval:
    if interval.estimate is None or interval.low is None or interval.high is None:
        return interval
    if not math.isfinite(shift):
        return interval
    return bounded(
        interval.estimate,
        min(interval.low, interval.low - shift),
        max(interval.high, interval.high - shift),
        lowest=lowest,
        highest=highest,
    )


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
