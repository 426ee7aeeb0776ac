"""Accuracy against the number of training images, from what is already computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveal.training.fold_model import FoldModel, FoldModelMaker, Split
from foveal.training.problem import Problem

_NUM_SIZES = 6
_SMALLEST_SHARE = 0.1


def measure_learning_curve(
    problem: Problem, maker: FoldModelMaker, *, like: FoldModel, full_accuracy: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns training sizes [M] and accuracies [M, R], NaN where a repeat does not apply.

    For every fold and repeat, whole groups are drawn from the other folds in random order,
    every class first, until the size is nearly reached; every held-out image is then
    predicted once a repeat. A size is the mean of what was really drawn. The prior stays the
    same as images are taken away.

    Args:
        problem: The images, every one in a fold.
        maker: Of the models.
        like: The model whose settings were chosen with all images.
        full_accuracy: Out-of-fold accuracy with all images: the last point.
    """
    labels, groups, fold_index = problem.labels, problem.groups, problem.fold_index
    num_images, num_folds, num_classes = len(problem), problem.num_folds, problem.num_classes
    num_full = round(num_images * (num_folds - 1) / num_folds)
    smallest = max(4 * num_classes, round(_SMALLEST_SHARE * num_full))
    if smallest * 2 > num_full:
        return np.array([num_full]), np.array([[full_accuracy]])
    sizes = np.unique(np.geomspace(smallest, num_full, _NUM_SIZES).round().astype(np.int64))
    num_repeats = 4 if num_images <= 5000 else 2
    random = np.random.default_rng(problem.seed)

    splits, keys = [], []
    drawn = np.zeros(len(sizes))
    for fold in range(num_folds):
        for repeat in range(num_repeats):
            order, num_needed = _draw_order(
                np.flatnonzero(fold_index != fold), labels, groups, random
            )
            for row, size in enumerate(sizes[:-1]):
                mask = np.zeros(num_images, bool)
                mask[order[: _end_of_group(order, groups, int(size), least=num_needed)]] = True
                splits.append(Split(mask, np.flatnonzero(fold_index == fold)))
                drawn[row] += mask.sum()
                keys.append((repeat, row))

    accuracies = np.full((len(sizes), num_repeats), np.nan)
    accuracies[-1, 0] = full_accuracy
    right = np.zeros((len(sizes), num_repeats))
    answers = maker.refit(problem, splits, like=like, num_rows=num_full)
    for (repeat, row), split, logits in zip(keys, splits, answers, strict=True):
        right[row, repeat] += float((logits.argmax(1) == labels[split.tested]).sum())
    accuracies[:-1] = right[:-1] / num_images
    sizes[:-1] = (drawn[:-1] / (num_folds * num_repeats)).round()
    # Large groups can make two sizes one; the full size keeps its own, exact, point.
    _, first = np.unique(sizes[:-1], return_index=True)
    kept = [*(row for row in first.tolist() if sizes[row] < num_full), len(sizes) - 1]
    return sizes[kept], accuracies[kept]


def _draw_order(
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], int]:
    """Returns ``rows`` with groups whole and in random order, one of each class up front.

    The number is how many rows those first groups have: fewer would miss a class.
    """
    names, member = np.unique(groups[rows], return_inverse=True)
    rank = random.permutation(len(names)).astype(np.float64)
    for label in np.unique(labels[rows]):
        holders = np.unique(member[labels[rows] == label])
        first = holders[rank[holders].argmin()]
        rank[first] = min(rank[first], -1.0 - random.random())
    ordered: NDArray[np.int64] = rows[np.lexsort((rows, rank[member]))]
    return ordered, int((rank[member] < 0).sum())


def _end_of_group(
    order: NDArray[np.int64], groups: NDArray[np.int64], size: int, *, least: int
) -> int:
    """Returns the end of a group nearest to ``size``, among those at ``least`` or beyond."""
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    ends = np.append(ends, len(order))
    ends = ends[ends >= least]
    return int(ends[np.abs(ends - size).argmin()])
