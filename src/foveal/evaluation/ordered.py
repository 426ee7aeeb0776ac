"""Classes with an order: which order it is, and how far answers lie from the label.

An answer one grade off is a smaller mistake than one three grades off, which accuracy does not see.
Weighted kappa (Cohen 1968, Psychological Bulletin 70, 213-220) with quadratic weights is
1 - Σ(i - j)² O_ij / Σ(i - j)² E_ij, with O the observed and E the chance table of the same margins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import OrderedClasses
from foveal.evaluation.inputs import Floats, as_labels, as_rows, compact
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    Interval,
    bounded,
    clustered_wilson,
    expanded_percentiles,
    hull,
    mixed_groups,
)
from foveal.evaluation.resampling import group_sums, resampled_sums
from foveal.text import near_names, printable

_NUM_RESAMPLES = 2000
_NUMBERED = re.compile(r"([^\W\d_]*(?:-[^\W\d_]+)?)[\s_-]*(\d+(?:\.\d+)?)")
_WORDS = (
    *("grade", "stage", "level", "degree", "severity", "score", "kl", "birads", "bi-rads"),
    *("isup", "gleason", "pirads", "pi-rads", "ecog", "asa", "nyha", "dr"),
)


def read_order(text: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """Returns the classes from lowest to highest, as ``"mild<moderate<severe"`` names them.

    Raises:
        UsageError: A class is missing, unknown or named twice.
    """
    order = tuple(part.strip() for part in text.split("<"))
    for name in order:
        if name not in class_names:
            near = near_names(name, class_names)
            raise UsageError(
                f"--ordered names '{printable(name)}', which is no class.",
                next_step=f"Did you mean '{printable(near[0])}'?"
                if near
                else f"The classes are {', '.join(map(printable, class_names))}.",
            )
        if order.count(name) > 1:
            raise UsageError(
                f"--ordered names '{printable(name)}' more than once.",
                next_step="Name every class once, the lowest first.",
            )
    missing = [name for name in class_names if name not in order]
    if missing:
        raise UsageError(
            f"--ordered leaves out '{printable(missing[0])}'"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + ".",
            next_step="Name every class once, the lowest first, with < between them.",
        )
    return order


def find_order(class_names: Sequence[str]) -> tuple[str, ...] | None:
    """Returns the order that names tell by their numbers; None where they tell none.

    Three or more classes that are all numbers, or all a number with the same word for a grade
    before it.

    >>> find_order(["10", "2", "1"]), find_order(["grade 2", "grade 0", "grade 1"])
    (('1', '2', '10'), ('grade 0', 'grade 1', 'grade 2'))
    >>> find_order(["cat 1", "cat 2", "cat 3"]), find_order(["0", "1"])
    (None, None)
    """
    found = [_NUMBERED.fullmatch(name) for name in class_names]
    matches = [one for one in found if one is not None]
    if len(class_names) < 3 or len(matches) < len(class_names):
        return None
    words = {one.group(1).casefold() for one in matches}
    numbers = [float(one.group(2)) for one in matches]
    if len(words) != 1 or len(set(numbers)) < len(numbers):
        return None
    if words != {""} and not words <= set(_WORDS):
        return None
    return tuple(class_names[index] for index in np.argsort(numbers))


def measure_ordered(
    predictions: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    order: Sequence[str],
    origin: Literal["given", "names"],
    seed: int = 0,
) -> OrderedClasses:
    """Returns weighted kappa and mean distance, with 95% intervals over groups.

    Args:
        predictions: Predicted class of each image, shape [N].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class, in the order of the indices.
        order: The same names, the lowest first.
        origin: Whether the order was given or read from the names.
        seed: Seeds the bootstrap.

    Raises:
        UsageError: Shapes disagree.
    """
    num_images, num_classes = np.asarray(labels).size, len(class_names)
    position = np.array([tuple(order).index(name) for name in class_names])
    truth = position[as_labels(labels, num_images=num_images, num_classes=num_classes)]
    answer = position[as_rows(predictions, num_images=num_images, name="predictions")]
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    distance = np.abs(truth - answer)
    ones = np.ones(num_images)
    columns = [ones, distance, distance**2, truth, truth**2, answer, answer**2]
    sums = group_sums(members, np.stack(columns, axis=1).astype(np.float64))
    total = sums.sum(axis=0)
    resampled = resampled_sums(sums, num_resamples=_NUM_RESAMPLES, seed=seed)
    kappa = float(_kappa(total[None, :])[0])
    mean = float(total[1] / total[0])
    highest = float(num_classes - 1)
    mean_interval = expanded_percentiles(
        mean, resampled[:, 1] / resampled[:, 0], num_groups=num_groups, highest=highest
    )
    kappa_interval = (
        expanded_percentiles(kappa, _kappa(resampled), num_groups=num_groups, lowest=-1.0)
        if np.isfinite(kappa)
        else Interval(None, None, None)
    )
    hits, sizes = group_sums(members, np.stack([distance == 0, ones], axis=1).astype(float)).T
    if mixed_groups(hits, sizes) < FEW_GROUPS:
        right = clustered_wilson(hits, sizes)
        wrong = max(1.0, total[0] - hits.sum())
        # As many wrong answers as may be, each as far off as those that were seen.
        far, square = max(1.0, total[1] / wrong), max(1.0, total[2] / wrong)
        mean_interval = hull(mean_interval, _scaled(right, mean, far, highest=highest))
        if np.isfinite(kappa):
            weight = square / float(_chance(total))
            kappa_interval = hull(kappa_interval, _kappa_by_wilson(right, kappa, weight))
    return OrderedClasses(
        order=tuple(order),
        origin=origin,
        weighted_kappa=kappa_interval,
        mean_distance=mean_interval,
        distance_counts=tuple(int(n) for n in np.bincount(distance, minlength=num_classes)),
    )


def _chance(totals: Floats) -> Floats:
    """Returns the mean squared distance that the margins would give by chance, [R] or one."""
    size, _, _, truth, truth_square, answer, answer_square = np.moveaxis(totals, -1, 0)
    result: Floats = (truth_square + answer_square) / size - 2.0 * truth * answer / size**2
    return result


def _kappa(totals: Floats) -> Floats:
    """Returns weighted kappa from sums of 1, d, d², t, t², a, a²; NaN where all is one class."""
    chance = _chance(totals)
    observed = totals[:, 2] / totals[:, 0]
    result: Floats = np.full(len(totals), np.nan)
    np.divide(observed, chance, out=result, where=chance > 1e-12)
    return 1.0 - result


def _scaled(right: Interval, mean: float, far: float, *, highest: float) -> Interval:
    if right.low is None or right.high is None:
        return Interval(mean, None, None)
    return bounded(mean, far * (1.0 - right.high), far * (1.0 - right.low), highest=highest)


def _kappa_by_wilson(right: Interval, kappa: float, weight: float) -> Interval:
    if right.low is None or right.high is None:
        return Interval(kappa, None, None)
    low, high = 1.0 - weight * (1.0 - right.low), 1.0 - weight * (1.0 - right.high)
    return bounded(kappa, low, high, lowest=-1.0)


def describe_ordered(ordered: OrderedClasses) -> str:
    """Returns how far answers lie from the label, as sentences."""
    kappa, distance = ordered.weighted_kappa, ordered.mean_distance
    total = sum(ordered.distance_counts)
    far = sum(ordered.distance_counts[2:])
    sentences = []
    if kappa.estimate is None:
        sentences.append("Weighted kappa is undefined: labels and answers are all one class.")
    else:
        sentences.append(f"Weighted kappa {kappa.estimate:.2f}{_span(kappa)}.")
    sentences.append(
        f"An answer is {distance.estimate or 0.0:.2f} steps from the label on "
        f"average{_span(distance)}"
        + (f"; {far:,} of {total:,} are two steps off or more." if len(ordered.order) > 2 else ".")
    )
    if ordered.origin == "names":
        sentences.append(
            "The order was read from the numbers in the classes’ names; where they have none: "
            "--ordered none."
        )
    return " ".join(sentences)


def _span(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return " (no interval can be given)"
    return f" (95% interval {interval.low:.2f} to {interval.high:.2f})"
