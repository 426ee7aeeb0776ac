"""What figures are computed from: checked arrays, probabilities, folds for cross-fitting.

Shapes are checked once at every door. Rows are images. A group is whatever must stay together
(a patient, a panel); images without one are groups of their own. Groups may carry any integers.

What is fitted on predictions is cross-fitted: no image tunes the figure it is judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def as_scores(scores: ArrayLike, *, name: str = "logits") -> Floats:
    """Returns finite scores of shape [N, K] with N ≥ 1 and K ≥ 2, as float64.

    Raises:
        UsageError: The shape is another one, or a value is not finite.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise UsageError(
            f"{name}: got shape {array.shape}, expected [N, K] with at least one image and two "
            "classes.",
            next_step=f"Pass one row of {name} an image and one column a class.",
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise UsageError(
            f"{name} holds a value that is not finite, first in row {row}.",
            next_step="Find out why the model gave no number for that image.",
        )
    return array


def as_probabilities(probabilities: ArrayLike) -> Floats:
    """Returns probabilities of shape [N, K], rows summing to one, as float64.

    Raises:
        UsageError: As :func:`as_scores`, or a row is no probability distribution.
    """
    array = as_scores(probabilities, name="probabilities")
    sums = array.sum(axis=1)
    wrong = (array < 0.0).any(axis=1) | (np.abs(sums - 1.0) > 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"probabilities: got a sum of {sums[row]:.4g} and a smallest value of "
            f"{array[row].min():.4g} in row {row}, expected values of at least 0 that sum to 1.",
            next_step="Pass logits through a softmax first.",
        )
    return array


def as_labels(labels: ArrayLike, *, num_images: int, num_classes: int) -> Ints:
    """Returns class indices of shape [N], each in [0, K), as int64.

    Raises:
        UsageError: The shape is another one, or an index is out of range.
    """
    array = as_rows(labels, num_images=num_images, name="labels")
    if array.size and (array.min() < 0 or array.max() >= num_classes):
        raise UsageError(
            f"labels: got {array.min()} to {array.max()}, expected class indices from 0 to "
            f"{num_classes - 1}.",
            next_step="Number the classes in the order of the columns.",
        )
    return array


def as_rows(values: ArrayLike, *, num_images: int, name: str) -> Ints:
    """Returns one whole number an image, shape [N], as int64.

    Raises:
        UsageError: The shape is another one, or the values are no whole numbers.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.shape != (num_images,) or array.dtype.kind not in "iub":
        raise UsageError(
            f"{name}: got shape {array.shape} and type {array.dtype}, expected {num_images} "
            "whole numbers, one an image.",
            next_step=f"Pass {name} in the order of the images.",
        )
    return array.astype(np.int64)


def check_class_names(class_names: tuple[str, ...] | list[str], *, num_classes: int) -> None:
    """Raises UsageError unless there is one name a class."""
    if len(class_names) != num_classes:
        raise UsageError(
            f"class_names: got {len(class_names)}, expected {num_classes}, one a class.",
            next_step="Pass one name a column, in the order of the columns.",
        )


def compact(groups: Ints) -> tuple[Ints, int]:
    """Renumbers groups as 0 … G - 1 and returns them, shape [N], with G."""
    values, index = np.unique(groups, return_inverse=True)
    return index.reshape(-1).astype(np.int64), len(values)


@dataclass(frozen=True, slots=True, eq=False)
class CheckedInputs:
    """Checked logits, labels and groups of N images.

    Attributes:
        scores: [N, K], finite.
        labels: [N], in 0 … K - 1.
        members: [N], the group of each in 0 … G - 1.
        num_groups: G.
    """

    scores: Floats
    labels: Ints
    members: Ints
    num_groups: int


def check_inputs(
    logits: ArrayLike, labels: ArrayLike, groups: ArrayLike, *, class_names: Sequence[str]
) -> CheckedInputs:
    """Returns what figures are computed from, checked.

    Args:
        logits: Shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class, in the order of the columns.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    scores = as_scores(logits)
    num_images, num_classes = scores.shape
    check_class_names(list(class_names), num_classes=num_classes)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    return CheckedInputs(scores, truth, members, num_groups)


def log_softmax(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Returns the logarithm of the class probabilities, shape [N, K].

    Args:
        logits: Shape [N, K].
        temperature: What the logits are divided by; above 1 is less sure.
    """
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    result: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return result


def softmax(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Returns the class probabilities, shape [N, K], rows summing to one."""
    exponent = np.exp(log_softmax(logits, temperature=temperature))
    result: Floats = exponent / exponent.sum(axis=1, keepdims=True)
    return result


def mean_log_loss(logits: Floats, labels: Ints, *, temperature: float = 1.0) -> float:
    """Returns the mean negative log probability of the true class, in nats.

    Always finite for finite logits: it is computed from them, never from a probability
    that has been rounded to zero.
    """
    log_probabilities = log_softmax(logits, temperature=temperature)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def cross_fitting_folds(fold_index: Ints, groups: Ints) -> Ints:
    """Returns folds to fit on all but one of; the given ones where there are two or more.

    A hold-out has one fold alone. It is split in two halves by group: groups in a fixed
    shuffled order, each to the half that has fewer images. With one group alone the
    result has one fold, and nothing can be cross-fitted.

    Args:
        fold_index: Fold of each image, shape [N].
        groups: Which images belong together, shape [N].

    Returns:
        Shape [N], folds 0 … F - 1.
    """
    folds, num_folds = compact(fold_index)
    if num_folds > 1:
        return folds
    return spread_groups(groups, num_folds=2)


def spread_groups(groups: Ints, *, num_folds: int) -> Ints:
    """Returns folds of about as many images.

    Groups come in a fixed shuffled order, each to the fold that has the fewest images.

    Args:
        groups: Which images belong together, shape [N].
        num_folds: How many; fewer come out where there are fewer groups.

    Returns:
        Shape [N], folds from 0.
    """
    members, num_groups = compact(groups)
    sizes = np.bincount(members)
    fold_of_group = np.zeros(num_groups, dtype=np.int64)
    filled = [0] * num_folds
    for group in np.random.default_rng(0).permutation(num_groups):
        fold = filled.index(min(filled))
        fold_of_group[group] = fold
        filled[fold] += int(sizes[group])
    return fold_of_group[members]
