"""Operating points in plain sentences that claim no more than their intervals do."""

from __future__ import annotations

from foveal.draw.numbers import percent, percent_span
from foveal.evaluation.intervals import Interval
from foveal.evaluation.operating_point import ChosenPoint, MeanCost, OperatingPoint
from foveal.evaluation.operating_rule import AtLeast, Rule, parse_rule
from foveal.evaluation.rates import AtPrevalence, Rates
from foveal.evaluation.wording import describe_interval
from foveal.text import count_noun, printable


def describe_point(point: OperatingPoint) -> str:
    """Returns what the label means at an operating point, as sentences.

    >>> describe_point(OperatingPoint("crack", 0, 0.0617, "sensitivity>=0.95 for crack"))
    "The label is 'crack' from a probability of 6.17% on (chosen for a sensitivity of at least \
95%). Below it, the label is the likeliest of the other classes."
    """
    name, rule = printable(point.class_name), parse_rule(point.rule)
    return (
        f"The label is '{name}' from a probability of {_probability(point.threshold)} on (chosen "
        f"for {rule.spoken}). Below it, the label is the likeliest of the other classes."
    )


def _probability(threshold: float) -> str:
    return f"{100 * threshold:.3g}%"


def describe_chosen(chosen: ChosenPoint) -> str:
    """Returns how an operating point does on images that did not choose it, as sentences."""
    if chosen.point is None:
        return chosen.reason or "There is no operating point."
    sentences = [describe_point(chosen.point)]
    rule = parse_rule(chosen.rule)
    if chosen.rates is None:
        return " ".join([*sentences, chosen.reason or "It was not judged."])
    rates = chosen.rates
    sentences.append(
        f"On images that did not choose it: sensitivity {describe_interval(rates.sensitivity)}, "
        f"specificity {describe_interval(rates.specificity)}."
    )
    sentences += _against_target(rule, rates)
    if chosen.num_folds_short:
        folds = count_noun(len(chosen.fold_thresholds), "fold")
        sentences.append(
            f"For {chosen.num_folds_short} of {folds} the other folds did not reach it, and the "
            "nearest they reach was taken."
        )
    if chosen.cost is not None:
        sentences.append(_describe_cost(chosen.cost))
    return " ".join(sentences)


def summarise_chosen(chosen: ChosenPoint) -> str:
    """Returns the point with its two rates in one short sentence, for a line of text."""
    name = printable(chosen.class_name)
    if chosen.point is None:
        return f"No threshold for '{name}' was found: see the report."
    head = f"'{name}' from {_probability(chosen.point.threshold)} on"
    if chosen.rates is None:
        return f"{head}, which could not be judged."
    rates = (("sensitivity", chosen.rates.sensitivity), ("specificity", chosen.rates.specificity))
    told = []
    for word, one in rates:
        span = (
            "" if one.low is None or one.high is None else f" ({percent_span(one.low, one.high)})"
        )
        told.append(f"{word} {percent(one.estimate)}{span}")
    return f"{head}: {', '.join(told)}."


def value_of(rule: AtLeast, rates: Rates) -> Interval:
    """Returns the figure that a rule is about."""
    found: Interval = getattr(rates, rule.measure)
    return found


def _against_target(rule: Rule, rates: Rates) -> list[str]:
    if not isinstance(rule, AtLeast):
        return []
    seen, target = value_of(rule, rates), percent(rule.target, digits=1)
    named = rule.spoken_measure
    told = (
        []
        if rule.measure in ("sensitivity", "specificity")
        else [f"The {named} is {describe_interval(seen)}."]
    )
    if seen.low is None or seen.high is None:
        return [*told, f"Whether the {named} of {target} holds for new images cannot be said."]
    if seen.low >= rule.target:
        return [*told, f"The {named} of {target} that was asked for is kept."]
    if seen.high < rule.target:
        return [*told, f"That is less than the {named} of {target} that was asked for."]
    return [
        *told,
        f"Its interval reaches below the {target} that was asked for: that new images keep to it "
        "is not shown.",
    ]


def describe_elsewhere(found: AtPrevalence, name: str) -> str:
    """Returns PPV and NPV at another prevalence, as a sentence."""
    return (
        f"Where {percent(found.prevalence, digits=1)} of images are '{printable(name)}', PPV "
        f"would be {describe_interval(found.ppv)} and NPV {describe_interval(found.npv)}, if "
        "sensitivity and specificity are the same there."
    )


def _describe_cost(cost: MeanCost) -> str:
    span = "no interval can be given"
    if cost.low is not None and cost.high is not None:
        span = f"95% interval {cost.low:.3g} to {cost.high:.3g}"
    head = f"An answer costs {cost.per_image:.3g} on average ({span})"
    if cost.saved_low is None or cost.saved_high is None:
        return f"{head}."
    between = f"{abs(cost.saved_low):.2g} to {abs(cost.saved_high):.2g}"
    if cost.saved_low > 0.0:
        return f"{head}, {between} less than that of the likeliest class."
    if cost.saved_high < 0.0:
        between = f"{-cost.saved_high:.2g} to {-cost.saved_low:.2g}"
        return f"{head}, {between} more than that of the likeliest class."
    return f"{head}; that it is less than that of the likeliest class is not shown."
