"""What an operating point is, what it makes of probabilities, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.curves import ClassCurves
from foveal.evaluation.inputs import Ints
from foveal.evaluation.intervals import Interval
from foveal.evaluation.rates import AtPrevalence, Rates


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """From which calibrated probability on a class is the answer; it travels with the run.

    An image whose probability of ``class_name`` is ``threshold`` or more gets that label. Any
    other gets the likeliest of the other classes. ``rule`` is what was asked for.
    """

    class_name: str
    class_index: int
    threshold: float
    rule: str


@dataclass(frozen=True, slots=True)
class MeanCost:
    """The mean cost of an image's answer, and how much the likeliest label would cost more.

    In the units of the costs that were given, so not bounded by 1.
    """

    per_image: float
    low: float | None
    high: float | None
    saved: float
    saved_low: float | None
    saved_high: float | None


@dataclass(frozen=True, slots=True)
class ChosenPoint:
    """An operating point that was asked for, and how it does on images that did not choose it.

    Each fold's images are judged at a threshold that the other folds chose
    (``fold_thresholds``); ``point`` holds the one that all of them chose, for new images.
    ``point`` is ``None`` where no threshold does what was asked, ``rates`` where it could not be
    judged; ``reason`` says why. ``num_folds_short`` folds had thresholds that come nearest to
    what was asked. ``accuracy`` is that of the labels given at the point, over all classes.
    """

    rule: str
    class_name: str
    point: OperatingPoint | None
    fold_thresholds: tuple[float, ...]
    num_folds_short: int
    rates: Rates | None
    accuracy: Interval | None
    at_prevalence: AtPrevalence | None
    cost: MeanCost | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Operating:
    """Yes and no about each class: at the likeliest label, at every threshold, at one chosen.

    ``rates`` has one row a class, for its label where it is the likeliest. ``curves`` has the
    classes in their order; of many, those with the smallest area under the ROC curve.
    """

    rates: tuple[Rates, ...]
    curves: tuple[ClassCurves, ...]
    chosen: ChosenPoint | None


def decide(probabilities: ArrayLike, point: OperatingPoint | None) -> Ints:
    """Returns the label of each image, shape [N].

    Args:
        probabilities: Calibrated, shape [N, K].
        point: The class of the point is the label from its threshold on; below it, the likeliest
            of the other classes is. Without a point, the likeliest class is.
    """
    values = np.asarray(probabilities)
    if point is None:
        likeliest: Ints = values.argmax(axis=1).astype(np.int64)
        return likeliest
    others = np.array(values, dtype=np.float64)
    others[:, point.class_index] = -np.inf
    is_yes = values[:, point.class_index] >= point.threshold
    labels: Ints = others.argmax(axis=1).astype(np.int64)
    labels[is_yes] = point.class_index
    return labels
