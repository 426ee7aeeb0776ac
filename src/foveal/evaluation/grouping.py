"""The leak: how much a random split flatters the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.evidence import Grouping
from foveal.evaluation.inputs import as_rows, compact
from foveal.evaluation.paired import accuracy_difference


def measure_leak(
    grouped_predictions: ArrayLike,
    random_predictions: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    source: str | None,
    is_approximate: bool,
    seed: int = 0,
) -> Grouping:
    """Returns the accuracy on grouped and on random folds, and their difference.

    With random folds a model has seen other images of the patients it is tested on
    (Yagis et al. 2021, Scientific Reports 11, 22544). The interval is that of a paired
    bootstrap over groups.

    Args:
        grouped_predictions: Predicted class with groups kept together, shape [N].
        random_predictions: Predicted class with groups ignored, shape [N].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        source: Where the groups come from, as a phrase; None without groups.
        is_approximate: Whether the groups are a guess.
        seed: Seeds the bootstrap.

    Raises:
        UsageError: Shapes disagree.
    """
    num_images = np.asarray(labels).size
    truth = as_rows(labels, num_images=num_images, name="labels")
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    grouped = truth == as_rows(
        grouped_predictions, num_images=num_images, name="grouped_predictions"
    )
    scattered = truth == as_rows(
        random_predictions, num_images=num_images, name="random_predictions"
    )
    if num_groups == num_images:
        return Grouping(source, is_approximate, None, None, None)
    return Grouping(
        source=source,
        is_approximate=is_approximate,
        grouped_accuracy=float(grouped.mean()),
        random_accuracy=float(scattered.mean()),
        leak=accuracy_difference(scattered, grouped, members, seed=seed),
    )
