"""A comparison in sentences that claim no more than its intervals do."""

from __future__ import annotations

from foveal.draw.numbers import percent, signed_points
from foveal.evaluation.comparison import Comparison, Difference, Figure, Margin
from foveal.evaluation.wording import points_span
from foveal.text import printable

FIGURE_NAMES: dict[Figure, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "area under the ROC curve",
}


def describe_comparison(comparison: Comparison, first: str, second: str) -> str:
    """Returns whether the two differ in accuracy, and whether a margin is kept, as sentences.

    Args:
        comparison: The figures.
        first: What the first is called.
        second: What the second is called.
    """
    one, other = printable(first), printable(second)
    found = comparison.accuracy
    sentences = [
        f"{one} is right in {percent(found.first, digits=1)} of images, {other} in "
        f"{percent(found.second, digits=1)}.",
        describe_difference(found, one, other, figure="accuracy"),
    ]
    if comparison.margin is not None:
        difference: Difference = getattr(comparison, comparison.margin.figure)
        sentences.append(_describe_margin(comparison.margin, difference, one, other))
    return " ".join(sentences)


def describe_difference(found: Difference, first: str, second: str, *, figure: Figure) -> str:
    """Returns which side is better by how much, or that no difference is shown, as sentences."""
    name, low, high = FIGURE_NAMES[figure], found.difference.low, found.difference.high
    if low is None or high is None:
        return f"Whether their {name} differs cannot be told. {found.reason or ''}".rstrip()
    if round(low, 3) > 0.0:
        return f"{first} is better in {name}, by {points_span(low, high)}."
    if round(high, 3) < 0.0:
        return f"{second} is better in {name}, by {points_span(-high, -low)}."
    text = (
        f"No difference in {name} is shown: {signed_points(found.difference.estimate)} points "
        f"(95% interval {signed_points(low)} to {signed_points(high)})."
    )
    if found.detectable is None:
        return text
    return (
        f"{text} That is not the same as equal: a true difference of "
        f"{100 * found.detectable:.1f} points would have been seen in four of five such "
        "comparisons, a smaller one less often."
    )


def _describe_margin(margin: Margin, found: Difference, first: str, second: str) -> str:
    name, points = FIGURE_NAMES[margin.figure], f"{100 * margin.margin:.3g} points"
    low, high = found.difference.low, found.difference.high
    if margin.verdict == "unavailable" or low is None or high is None:
        reason = found.reason or "There is no interval."
        return f"Whether {first} is worse by {points} or more in {name} cannot be told. {reason}"
    span = f"95% interval {signed_points(low)} to {signed_points(high)} points"
    if margin.verdict == "not worse":
        both = (
            f" Nor is {second} worse by as much: within this margin the two are equivalent."
            if high < margin.margin
            else ""
        )
        return (
            f"{first} is not worse than {second} by {points} or more in {name} ({span}): "
            f"non-inferior.{both}"
        )
    if margin.verdict == "worse":
        return f"{first} is worse than {second} by more than {points} in {name} ({span})."
    return (
        f"It is not shown that {first} is worse by less than {points} in {name} ({span}): "
        "non-inferiority is neither shown nor ruled out."
    )
