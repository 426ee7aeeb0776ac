"""How many images make a sensitivity known well enough.

A sensitivity s of n images of the class has the standard error √(s(1 - s)/n). For an interval of
s ± h this needs n = z² s(1 - s)/h² images of the class (Whittle, …, Riley & Snell 2025, BMC Medical
Research Methodology 25:170, the closed form for the sensitivity; after Riley et al. 2024, BMJ 384,
e074821). Images that come in groups tell less: n is multiplied by their design effect (Kish 1965).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.inputs import (
    Floats,
    check_inputs,
)
from foveal.evaluation.intervals import NORMAL_QUANTILE, Interval, clustered_wilson, effective_size
from foveal.text import count_noun, printable

HALF_WIDTH = 0.05


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many images of a class make its sensitivity known well enough.

    ``num_needed`` holds if the sensitivity is what was seen, ``num_needed_at_worst`` for the value
    of its interval that needs the most; ``None`` where it cannot be said. Both are multiplied by
    ``design_effect``, for images that come in groups as these do.
    """

    name: str
    num_images: int
    num_groups: int
    sensitivity: Interval
    design_effect: float
    num_needed: int | None
    num_needed_at_worst: int | None


@dataclass(frozen=True, slots=True)
class SampleSizes:
    """Images needed for a sensitivity within ``half_width`` on either side, class by class."""

    half_width: float
    classes: tuple[SampleSize, ...]


def num_images_needed(
    share: float, *, half_width: float = HALF_WIDTH, design_effect: float = 1.0
) -> int:
    """Returns n = ⌈z² s(1 - s)/h² · d⌉, the images of a class for its sensitivity s ± h.

    >>> num_images_needed(0.5), num_images_needed(0.9), num_images_needed(0.9, design_effect=2.0)
    (385, 139, 277)

    Args:
        share: The sensitivity that is expected, in [0, 1]; 0 and 1 need none by this formula.
        half_width: h.
        design_effect: d, by how much groups widen the variance.
    """
    images = (NORMAL_QUANTILE / half_width) ** 2 * share * (1.0 - share) * design_effect
    # A hair above a whole number is rounding, not another image.
    return math.ceil(images - 1e-9)


def plan_sample_sizes(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    sensitivities: Sequence[Interval] | None = None,
    half_width: float = HALF_WIDTH,
) -> SampleSizes:
    """Returns how many images of each class are needed, beside how many there are.

    Args:
        logits: Out of fold, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class.
        sensitivities: As they were measured, one a class; by default with Wilson's interval at the
            effective sample size of the groups.
        half_width: h.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth = checked.scores, checked.labels
    members, num_groups = checked.members, checked.num_groups
    is_right = scores.argmax(axis=1) == truth
    rows = []
    for k, name in enumerate(class_names):
        own = truth == k
        totals = np.bincount(members[own], minlength=num_groups).astype(np.float64)
        hits = np.bincount(members[own & is_right], minlength=num_groups).astype(np.float64)
        seen = clustered_wilson(hits, totals) if sensitivities is None else sensitivities[k]
        rows.append(_plan(name, seen, hits, totals, half_width))
    return SampleSizes(half_width, tuple(rows))


def _plan(name: str, seen: Interval, hits: Floats, totals: Floats, half_width: float) -> SampleSize:
    num_images, num_groups = int(totals.sum()), int((totals > 0).sum())
    if seen.estimate is None or seen.low is None or seen.high is None:
        return SampleSize(name, num_images, num_groups, seen, 1.0, None, None)
    design_effect = max(num_images / effective_size(hits, totals), 1.0)
    worst = min(max(0.5, seen.low), seen.high)
    needed = num_images_needed(seen.estimate, half_width=half_width, design_effect=design_effect)
    at_worst = num_images_needed(worst, half_width=half_width, design_effect=design_effect)
    # Without a mistake, or a right answer, the formula says 0: then the interval alone can tell.
    return SampleSize(name, num_images, num_groups, seen, design_effect, needed or None, at_worst)


def describe_sample_size(row: SampleSize, half_width: float) -> str:
    """Returns "you have n, you need m" for one class, as a sentence."""
    name, points = printable(row.name), f"±{100 * half_width:g} points"
    have = f"'{name}': you have {count_noun(row.num_images, 'image')}"
    if row.num_needed_at_worst is None:
        return f"{have} of {count_noun(row.num_groups, 'group')}, too few to plan from."
    if row.num_needed is None:
        return (
            f"{have}; without a mistake (or a right answer) among them the formula has no answer, "
            f"and up to {row.num_needed_at_worst:,} are needed for a sensitivity within {points}."
        )
    need = f"for a sensitivity within {points} you need {row.num_needed:,}"
    if row.num_needed_at_worst > row.num_needed:
        need += f", or up to {row.num_needed_at_worst:,} where the true one lies in its interval"
    verdict = (
        "enough"
        if row.num_images >= row.num_needed_at_worst
        else "enough if it is what was seen"
        if row.num_images >= row.num_needed
        else f"{row.num_needed - row.num_images:,} more"
    )
    return f"{have}, {need}: {verdict}."


def _lacking(sizes: SampleSizes) -> list[tuple[int, SampleSize]]:
    """Returns how many images each class lacks that can be planned for; below 0 for enough."""
    return [
        (needed - row.num_images, row)
        for row in sizes.classes
        if (needed := row.num_needed or row.num_needed_at_worst) is not None
    ]


def summarise_sample_sizes(sizes: SampleSizes) -> str:
    """Returns how many classes have enough images, in one line."""
    points, lacking = f"±{100 * sizes.half_width:g} points", _lacking(sizes)
    num_short = sum(lack > 0 for lack, _ in lacking)
    if not lacking:
        return "This cannot be said: there are too few groups."
    if not num_short:
        return f"Every class has enough for a sensitivity {points}, if as seen."
    verb = "lacks" if num_short == 1 else "lack"
    return f"{num_short} of {len(sizes.classes)} classes {verb} images for a sensitivity {points}."


def describe_sample_sizes(sizes: SampleSizes) -> str:
    """Returns how many classes have enough images, and which lacks the most, as sentences."""
    points = f"±{100 * sizes.half_width:g} points"
    lacking = _lacking(sizes)
    short = [(lack, row) for lack, row in lacking if lack > 0]
    if not lacking:
        return f"What a sensitivity within {points} needs cannot be said: there are too few groups."
    if not short:
        return (
            f"Every class has the images that a sensitivity within {points} needs, if it is what "
            "was seen."
        )
    _, worst = max(short, key=lambda pair: pair[0])
    verb = "has" if len(short) == 1 else "have"
    return (
        f"{len(short)} of {len(sizes.classes)} classes {verb} too few images for a sensitivity "
        f"within {points}. {describe_sample_size(worst, sizes.half_width)}"
    )
