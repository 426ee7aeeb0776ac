"""An external test: what is new about new data, beside the figures on them.

Case mix side by side, drift, calibration with the offer of a recalibration, the change of accuracy
since training, and how many labelled images would settle what is open. Without labels the first two
and the last remain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.evaluation.drift import Drift
from foveal.evaluation.inputs import Bools, Ints, compact
from foveal.evaluation.intervals import (
    NORMAL_QUANTILE,
    Interval,
    clustered_wilson,
    effective_size,
    subtracted,
)
from foveal.evaluation.recalibration import ExternalCalibration
from foveal.evaluation.sample_size import num_images_needed

HALF_WIDTHS = (0.05, 0.03, 0.02)
DROP = 0.05
_POWER_QUANTILE = 0.8416212335729143


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the training images and of the new ones has one property."""

    name: str
    num_training: int
    num_new: int
    training: Interval
    new: Interval


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The middle and the ends of a quantity: 5%, 50% and 95% of images lie below them."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity of the training images and of the new ones; ``None`` where it is unknown."""

    name: str
    unit: str
    training: Quantiles | None
    new: Quantiles | None


@dataclass(frozen=True, slots=True)
class CaseMix:
    """Training data and new data side by side.

    ``classes`` is empty without labels. ``predicted`` is out of fold for the training images.
    """

    num_training: int
    num_new: int
    num_training_groups: int
    num_new_groups: int
    classes: tuple[Share, ...]
    predicted: tuple[Share, ...]
    modes: tuple[Share, ...]
    formats: tuple[Share, ...]
    spreads: tuple[Spread, ...]


@dataclass(frozen=True, slots=True)
class NeededLabels:
    """Labelled images for an accuracy within ``half_width`` on either side.

    ``num_at_worst`` is for the value of its interval that needs the most.
    """

    half_width: float
    num_images: int | None
    num_at_worst: int


@dataclass(frozen=True, slots=True)
class LabelBudget:
    """How many labelled images would settle what is open.

    Attributes:
        accuracy: At which they are counted.
        is_measured: Whether on these images, or, without labels, in training.
        design_effect: By how much groups widen the variance.
        needed: One entry a half width.
        drop: A fall of accuracy since training that matters.
        num_for_drop: Images that would show such a fall four times in five; ``None`` where the
            accuracy in training is not known well enough for any number to do so.
    """

    accuracy: Interval
    is_measured: bool
    design_effect: float
    needed: tuple[NeededLabels, ...]
    drop: float
    num_for_drop: int | None


@dataclass(frozen=True, slots=True)
class ExternalTest:
    """What is new about new data; parts that need labels are ``None`` without them.

    ``unlike_training`` is the share of images that the novelty score flags, ``expected_unlike``
    that of training images held out. ``accuracy_change`` is the accuracy on the new images minus
    that in training, held out. ``num_bad`` files could not be read.
    """

    num_images: int
    num_groups: int
    num_seen: int
    case_mix: CaseMix
    drift: Drift
    unlike_training: Interval
    expected_unlike: float
    calibration: ExternalCalibration | None
    accuracy_change: Interval | None
    label_budget: LabelBudget | None
    notes: tuple[str, ...] = ()
    num_bad: int = 0


def compare_shares(
    training: Sequence[str],
    new: Sequence[str],
    training_groups: Ints,
    new_groups: Ints,
    *,
    names: Sequence[str] | None = None,
) -> tuple[Share, ...]:
    """Returns the share of each value on both sides, with intervals over groups.

    Args:
        training: A value a training image.
        new: A value a new image.
        training_groups: Which training images belong together.
        new_groups: The same for the new ones.
        names: Values in their order; those that occur, the most frequent first, by default.
    """
    sides = (np.array(training, object), np.array(new, object))
    if names is None:
        both = [str(one) for one in np.concatenate(sides)]
        names = sorted(set(both), key=lambda name: (-both.count(name), name))
    return tuple(
        Share(
            name,
            int((sides[0] == name).sum()),
            int((sides[1] == name).sum()),
            share_of(sides[0] == name, training_groups),
            share_of(sides[1] == name, new_groups),
        )
        for name in names
    )


def share_of(having: NDArray[np.bool_], groups: Ints) -> Interval:
    """Returns the share of images that have a property, with its interval over groups."""
    if not len(having):
        return Interval(None, None, None)
    members, _ = compact(np.asarray(groups, np.int64))
    hits = np.bincount(members, weights=having).astype(np.float64)
    return clustered_wilson(hits, np.bincount(members).astype(np.float64))


def compare_spread(
    name: str, unit: str, training: Sequence[float | None], new: Sequence[float | None]
) -> Spread:
    """Returns the quantiles of a quantity on both sides."""
    return Spread(name, unit, _quantiles(training), _quantiles(new))


def _quantiles(values: Sequence[float | None]) -> Quantiles | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, median, high = np.quantile(np.array(known, np.float64), [0.05, 0.5, 0.95])
    return Quantiles(float(low), float(median), float(high))


def accuracy_change(training: Interval, new: Interval) -> Interval:
    """Returns the accuracy on new images minus that in training; the two are independent."""
    return subtracted(new, training)


def plan_labels(
    right: ArrayLike,
    groups: ArrayLike,
    *,
    training: Interval,
    is_measured: bool,
    drop: float = DROP,
) -> LabelBudget | None:
    """Returns how many labelled images would settle the accuracy on the new data.

    A drop d is seen four times in five where p(1 - p) e/n + v ≤ (d/2.80)², with v the variance of
    the accuracy in training and e the design effect.

    Args:
        right: Whether each image was got right, of the new images or, without labels, of the
            training images out of fold, shape [N].
        groups: Which of those belong together, shape [N].
        training: The accuracy in training.
        is_measured: Whether ``right`` is of the new images.
        drop: d.

    Returns:
        ``None`` where one group alone gives nothing to plan from.
    """
    hit: Bools = np.asarray(right, bool)
    members, _ = compact(np.asarray(groups, np.int64))
    totals = np.bincount(members).astype(np.float64)
    hits = np.bincount(members, weights=hit).astype(np.float64)
    accuracy = clustered_wilson(hits, totals)
    if accuracy.estimate is None or accuracy.low is None or accuracy.high is None:
        return None
    effect = max(len(hit) / effective_size(hits, totals), 1.0)
    worst = min(max(0.5, accuracy.low), accuracy.high)
    needed = tuple(
        NeededLabels(
            half,
            num_images_needed(accuracy.estimate, half_width=half, design_effect=effect) or None,
            num_images_needed(worst, half_width=half, design_effect=effect),
        )
        for half in HALF_WIDTHS
    )
    expected = min(max(0.5, (training.estimate or 0.5) - drop), 1.0)
    known = (
        0.0
        if training.low is None or training.high is None
        else ((training.high - training.low) / (2.0 * NORMAL_QUANTILE)) ** 2
    )
    allowed = (drop / (NORMAL_QUANTILE + _POWER_QUANTILE)) ** 2 - known
    for_drop = math.ceil(expected * (1.0 - expected) * effect / allowed) if allowed > 0 else None
    return LabelBudget(accuracy, is_measured, effect, needed, drop, for_drop)
