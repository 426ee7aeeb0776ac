"""Evidence in plain sentences that claim no more than their intervals do.

``describe_interval`` and ``describe_against_baseline`` give phrases to build a sentence
with; the others give whole sentences. Names of classes come out printable, on one line;
markup is the business of whoever renders it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from foveal.draw.numbers import percent as percent_of
from foveal.draw.numbers import percent_span, signed_points
from foveal.evaluation.evidence import (
    Baseline,
    Calibration,
    Evidence,
    Grouping,
    HeldOutGroups,
    Interval,
    LearningCurve,
    Metrics,
    PredictionSets,
    ReliabilityBin,
)
from foveal.text import count_noun, printable

# Longer lists than this are not read by anyone who has to decide.
_LONG_LIST = 10
_MAX_NAMED_CLASSES = 6

Comparison = Literal["higher", "lower", "not distinguishable"]


def describe_interval(
    interval: Interval, *, percent: bool = True, digits: int | None = None
) -> str:
    """Returns the estimate with its interval, as a phrase.

    Args:
        interval: Of a fraction.
        percent: Whether it is told in per cent.
        digits: Decimals; by default 1 of the per cent, and 3 of a plain number.

    >>> describe_interval(Interval(0.824, 0.791, 0.852))
    '82.4% (95% interval 79.1 to 85.2%)'
    >>> describe_interval(Interval(0.931, 0.9, 0.95), percent=False)
    '0.931 (95% interval 0.900 to 0.950)'
    >>> describe_interval(Interval(0.5, None, None)), describe_interval(Interval(None, None, None))
    ('50.0% (no interval can be given)', 'undefined')
    """
    if interval.estimate is None:
        return "undefined"
    decimals = digits if digits is not None else 1 if percent else 3
    estimate = (
        percent_of(interval.estimate, digits=decimals)
        if percent
        else f"{interval.estimate:.{decimals}f}"
    )
    if interval.low is None or interval.high is None:
        return f"{estimate} (no interval can be given)"
    if percent:
        span = percent_span(interval.low, interval.high, digits=decimals)
    else:
        span = f"{interval.low:.{decimals}f} to {interval.high:.{decimals}f}"
    return f"{estimate} (95% interval {span})"


def compare(first: Interval, second: Interval) -> Comparison:
    """Returns whether the first figure is higher, as far as the two intervals can tell.

    Intervals that touch are not told apart. This is cautious: for two figures on the same
    images a paired interval of their difference sees more.

    >>> compare(Interval(0.9, 0.86, 0.93), Interval(0.8, 0.75, 0.85))
    'higher'
    >>> compare(Interval(0.9, 0.84, 0.93), Interval(0.8, 0.75, 0.85))
    'not distinguishable'
    """
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return "not distinguishable"
    if first.low > second.high:
        return "higher"
    return "lower" if first.high < second.low else "not distinguishable"


def describe_against_baseline(metrics: Metrics, baseline: Baseline) -> str:
    """Returns how the accuracy stands to always answering the commonest class, as a phrase."""
    name = printable(baseline.class_name)
    answer = f"always answering '{name}' ({percent_of(baseline.accuracy, digits=1)})"
    gain = baseline.gain
    if gain.low is None or gain.high is None:
        groups = count_noun(metrics.num_groups, "group")
        return f"with {groups}, too few to tell whether this is better than {answer}"
    if round(gain.low, 3) > 0.0:
        return f"better than {answer} by {points_span(gain.low, gain.high)}"
    if round(gain.high, 3) < 0.0:
        return f"worse than {answer} by {points_span(-gain.high, -gain.low)}"
    return f"not distinguishable from {answer}"


def describe_judged(evidence: Evidence) -> str:
    """Returns what images the figures are about, and what was left out of them, as a phrase."""
    protocol, num_images = evidence.protocol, evidence.metrics.num_images
    if protocol.measured_on == "seen":
        return "the very images it was trained on"
    if protocol.num_seen:
        whole = num_images + protocol.num_seen
        unseen = count_noun(num_images, "unseen image")
        return f"{unseen}; {protocol.num_seen:,} of the {whole:,} had been seen"
    # A split that came with the data is kept as it is, whatever it does to groups.
    if evidence.grouping.source is not None and protocol.kind == "cross-validation":
        return "images of unseen groups"
    return "images it had not seen"


def describe_leak(grouping: Grouping) -> str:
    """Returns what random folds would have claimed, as sentences."""
    if (
        grouping.grouped_accuracy is None
        or grouping.random_accuracy is None
        or grouping.leak is None
    ):
        return (
            "No two images are known to belong together, so it could not be checked whether "
            "images of the same patient, part or place flatter the result."
        )
    what = "near duplicates" if grouping.source is None else "images that belong together"
    facts = (
        f"With {what} kept apart from training, accuracy is "
        f"{percent_of(grouping.grouped_accuracy, digits=1)}; with images mixed at random it would "
        f"read {percent_of(grouping.random_accuracy, digits=1)}."
    )
    low, high = grouping.leak.low, grouping.leak.high
    if low is None or high is None:
        verdict = "There are too few groups to say whether they differ."
    elif round(low, 3) > 0.0:
        verdict = f"Mixing them would flatter the result by {points_span(low, high)}."
    elif round(high, 3) < 0.0:
        verdict = (
            f"Mixing them scored lower by {points_span(-high, -low)}, so nothing leaks through "
            "them."
        )
    else:
        verdict = (
            f"The difference is within chance ({signed_points(low)} to {signed_points(high)} "
            "points): a leak is neither shown nor ruled out."
        )
    if grouping.source is None:
        verdict += (
            " No groups are known, so it could not be checked whether other images of the same "
            "patient, part or place flatter the result."
        )
    if grouping.is_approximate:
        verdict += " The groups are approximate, so the true difference may be larger."
    return f"{facts} {verdict}"


def describe_tested(tested: HeldOutGroups) -> str:
    """Returns what holding out something that could be groups showed, as sentences."""
    facts = (
        f"With images that share it on both sides, a quick classifier is right in "
        f"{percent_of(tested.mixed_accuracy, digits=1)} of images; with them kept apart, in "
        f"{percent_of(tested.apart_accuracy, digits=1)}."
    )
    low, high = tested.difference.low, tested.difference.high
    if low is None or high is None:
        return f"{facts} There are too few of them to say whether that is chance."
    if low > 0.0:
        return f"{facts} Mixing them flatters by {points_span(low, high)}."
    within = f"{signed_points(low)} to {signed_points(high)} points"
    return f"{facts} The difference is within chance ({within})."


def describe_calibration(calibration: Calibration) -> str:
    """Returns how far stated confidence is from how often it is right, as sentences."""
    off = f"{100 * calibration.ece_before:.1f} points on average"
    direction = _direction(calibration.reliability_before)
    if calibration.temperature == 1.0:
        before = (
            f"The model's confidence is off by {off}{direction}. Adjusting it by other images "
            "did not help, so it is left as it is."
        )
    else:
        before = (
            f"Before adjustment the model's confidence was off by {off}{direction}; after it, "
            f"by {100 * calibration.ece_after:.1f}."
        )
    bins = calibration.reliability_after
    apart = sum(not _holds(item.accuracy, item.mean_confidence) for item in bins)
    judged = sum(item.accuracy.low is not None for item in bins)
    if judged == 0:
        return f"{before} There are too few images to say whether that is chance."
    bands = count_noun(judged, "band")
    # Of ten 95% intervals one misses by chance alone about four times in ten.
    if apart <= max(1, judged // 10):
        return (
            f"{before} Over {bands} of confidence, the difference is no larger than chance "
            "explains."
        )
    return (
        f"{before} In {apart} of {bands} of confidence the difference is larger than chance "
        "explains: do not read the confidence as an exact probability."
    )


def describe_prediction_sets(
    sets: PredictionSets, *, class_names: Sequence[str] | None = None
) -> str:
    """Returns what the prediction sets promise and kept, as sentences.

    Args:
        sets: The evidence.
        class_names: One name a class; with them, classes that fall short are named.
    """
    promise = 1.0 - sets.alpha
    num_images = sum(sets.size_counts)
    alone = sets.size_counts[1] / num_images if num_images else 0.0
    sentences = [
        "The lists of possible labels are built to hold the true one in "
        f"{percent_of(promise, digits=1)} of "
        f"images; on held-out images they held it in {describe_interval(sets.coverage)}."
    ]
    if sets.coverage.high is not None and sets.coverage.high < promise:
        sentences.append("That is less than promised.")
    if sets.size_counts[-1] == num_images > 0:
        sentences.append(
            "Every list holds every label: nothing is ruled out, because the images that were "
            "judged are too few for the promise, or the classes cannot be told apart."
        )
    else:
        sentences.append(
            f"A list has {sets.mean_size:.2f} labels on average; {percent_of(alone, digits=1)} of "
            "images have one label alone."
        )
        if sets.mean_size > _LONG_LIST:
            sentences.append(
                f"Lists of {sets.mean_size:.0f} labels help nobody to decide: at this target the "
                "classifier cannot tell these classes apart."
            )
    if class_names is not None:
        short = [
            f"'{printable(name)}' ({percent_of(interval.estimate, digits=1)})"
            for name, interval in zip(class_names, sets.class_coverage, strict=True)
            if interval.estimate is not None
            and interval.high is not None
            and interval.high < promise
        ]
        if short:
            more = len(short) - _MAX_NAMED_CLASSES
            named = ", ".join(short[:_MAX_NAMED_CLASSES]) + (
                f" and {count_noun(more, 'more class', 'more classes')}" if more > 0 else ""
            )
            sentences.append(f"The true label is missed more often for {named}.")
    return " ".join(sentences)


def describe_learning_curve(curve: LearningCurve) -> str:
    """Returns whether more images seem worth having, as sentences."""
    target, figure = curve.extrapolated_num_images, curve.extrapolation
    if (
        target is None
        or figure is None
        or figure.estimate is None
        or figure.low is None
        or figure.high is None
        or not curve.points
    ):
        reason = curve.reason or "The curve allows no extrapolation."
        return f"What more images would give cannot be said. {reason}"
    last = curve.points[-1]
    ratio = target / last.num_images
    amount = "Twice as many" if math.isclose(ratio, 2.0, abs_tol=0.05) else f"{target:,}"
    if round(figure.high - figure.low, 3) == 0.0:
        # A range of no width would claim a certainty that a flat curve does not have.
        return (
            f"Accuracy stayed at {percent_of(last.accuracy, digits=1)} from "
            f"{curve.points[0].num_images:,} "
            f"to {last.num_images:,} training images: what more would give is too little to "
            "be seen on the images at hand."
        )
    head = (
        f"{amount} training images would give about {percent_of(figure.estimate, digits=1)} "
        f"(somewhere from {percent_span(figure.low, figure.high, digits=1)}), against "
        f"{percent_of(last.accuracy, digits=1)} with {last.num_images:,}"
    )
    if round(figure.low - last.accuracy, 3) > 0.0:
        return (
            f"{head}: more images should help, by "
            f"{points_span(figure.low - last.accuracy, figure.high - last.accuracy)}, if they come "
            "like these."
        )
    return f"{head}: that more images would help cannot be told from this."


def points_span(low: float, high: float) -> str:
    """Returns a range of percentage points, to a tenth where it starts below ten.

    >>> points_span(0.221, 0.302), points_span(0.004, 0.031)
    ('22 to 30 points', '0.4 to 3.1 points')
    """
    digits = 0 if low >= 0.0995 else 1
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} points"


def _holds(interval: Interval, value: float) -> bool:
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= value <= interval.high


def _direction(bins: tuple[ReliabilityBin, ...]) -> str:
    """Says "too sure" or "not sure enough" where every band that is off agrees on it."""
    off = [
        item.mean_confidence - (item.accuracy.estimate or 0.0)
        for item in bins
        if not _holds(item.accuracy, item.mean_confidence)
    ]
    if not off:
        return ""
    if all(gap > 0 for gap in off):
        return " (too sure)"
    return " (not sure enough)" if all(gap < 0 for gap in off) else ""
