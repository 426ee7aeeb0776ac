"""Subgroups in sentences that claim no more than their intervals and tests do."""

from __future__ import annotations

from foveal.draw.numbers import percent, signed_points
from foveal.evaluation.evidence import GroupSpread, SubgroupGap, Subgroups, SubgroupTrait
from foveal.text import count_noun, printable

_LEVEL = 0.05


def is_shown(gap: SubgroupGap) -> bool:
    """Whether a difference is shown: by the corrected test, and by an interval above nought."""
    low = gap.difference.low
    return gap.adjusted_p_value < _LEVEL and low is not None and low > 0.0


def describe_trait(trait: SubgroupTrait, *, num_tested: int) -> str:
    """Returns whether the parts of one trait differ, as sentences.

    Args:
        trait: With its figures.
        num_tested: Traits that were tested together.
    """
    gap = trait.gap
    if gap is None:
        return f"Not compared. {trait.reason}"
    difference = gap.difference
    pair = f"“{printable(gap.highest)}” against “{printable(gap.lowest)}”"
    size = f"{100 * (difference.estimate or 0.0):.1f} points"
    span = _span(gap)
    p_value = f"p {_p(gap.adjusted_p_value)}"
    if num_tested > 1:
        p_value += f", corrected for {num_tested} comparisons"
    if is_shown(gap):
        return (
            f"Accuracy differs beyond chance: {pair}, {size} higher at the same mix of classes "
            f"(95% interval {span}; {p_value})."
        )
    high = difference.high
    unknown = (
        "" if high is None else f" A difference of up to {100 * high:.0f} points is not ruled out."
    )
    return (
        f"No difference is shown: the clearest is {pair}, {size} at the same mix of classes "
        f"(95% interval {span}; {p_value}).{unknown}"
    )


def describe_spread(spread: GroupSpread) -> str:
    """Returns how far groups differ beyond chance, as a sentence."""
    figure = spread.spread
    groups = count_noun(spread.num_groups, "group")
    size = f"{100 * (figure.estimate or 0.0):.1f} points"
    interval = (
        "no interval can be given"
        if figure.low is None or figure.high is None
        else f"95% interval {100 * figure.low:.1f} to {100 * figure.high:.1f}"
    )
    if spread.p_value < _LEVEL:
        return (
            f"Between {groups} accuracy differs beyond chance, by a standard deviation of {size} "
            f"({interval})."
        )
    return (
        f"Between {groups} no difference beyond chance is shown (standard deviation {size}, "
        f"{interval})."
    )


def describe_share(spread: GroupSpread) -> str:
    """Returns what of the variation between groups is not chance, and what follows from it."""
    share = f"{percent(spread.i_squared)} of the variation between them is not chance"
    tail = f"(I²; p {_p(spread.p_value)})."
    if spread.p_value < _LEVEL:
        return f"{share} {tail} A new group will have a figure of its own, above or below."
    return f"By the estimate {share} {tail}"


def describe_subgroups(subgroups: Subgroups) -> str:
    """Returns what parting the images showed, in a sentence or two."""
    tested = [trait for trait in subgroups.traits if trait.gap is not None]
    found = [trait for trait in tested if trait.gap is not None and is_shown(trait.gap)]
    sentences = []
    for trait in found:
        gap = trait.gap
        assert gap is not None
        sentences.append(
            f"By {printable(trait.name)} accuracy differs: “{printable(gap.highest)}” is "
            f"{100 * (gap.difference.estimate or 0.0):.1f} points above "
            f"“{printable(gap.lowest)}” (95% interval {_span(gap)})."
        )
    others = [printable(trait.name) for trait in tested if trait not in found]
    if others:
        sentences.append(f"No difference is shown by {_listed(others)}.")
    if subgroups.between_groups is not None:
        sentences.append(describe_spread(subgroups.between_groups))
    if not sentences:
        return "The parts of the images are too small to be compared."
    return " ".join(sentences)


def _span(gap: SubgroupGap) -> str:
    low, high = gap.difference.low, gap.difference.high
    if low is None or high is None:
        return "cannot be given"
    return f"{signed_points(low)} to {signed_points(high)}"


def _p(value: float) -> str:
    """Returns a p-value as it is written.

    >>> _p(0.0004), _p(0.012), _p(0.4), _p(1.0)
    ('= 0.0004', '= 0.012', '= 0.40', '= 1.00')
    """
    digits = 4 if value < 0.001 else 3 if value < 0.1 else 2
    return f"= {value:.{digits}f}"


def _listed(names: list[str]) -> str:
    """Returns names with commas and "or".

    >>> _listed(["size"]), _listed(["size", "format", "light"])
    ('size', 'size, format or light')
    """
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} or {names[-1]}"
