"""Out-of-fold logits, with the head's strength chosen without the fold it is tested on.

Nested cross-validation that costs little more than a plain one: to choose a strength for
outer fold ``o``, heads are needed that saw neither ``o`` nor an inner fold ``i``. The head
without ``{o, i}`` serves both ways round, so five folds ask for ten pairs, not twenty; and
all of them are fitted in one batch. A large problem (hundreds of classes) takes the five pairs
of neighbouring folds and then fits, for each outer fold, the chosen strength alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.errors import DataError
from foveal.training.config import ClassWeights
from foveal.training.heads import LinearHead, decide_class_weights, row_weights
from foveal.training.solver import (
    LinearHeads,
    default_penalties,
    fit_heads,
    is_large_problem,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What cross-validation gives.

    Attributes:
        logits: [N, K], each row from a head that did not see its fold.
        fold_penalties: The strength chosen for each fold, without that fold.
        penalty: The strength for a head on everything.
        losses: Mean out-of-fold log loss by strength, over all folds; empty where two folds
            had too few groups to be divided further.
        fold_heads: The head that gave each fold's logits.
    """

    logits: Floats
    fold_penalties: tuple[float, ...]
    penalty: float
    losses: dict[float, float]
    fold_heads: tuple[LinearHead, ...]


def cross_validate(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    fold_index: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    num_classes: int,
    class_weights: ClassWeights,
    seed: int,
) -> CrossValidated:
    """Returns out-of-fold logits and the strengths that were chosen.

    Args:
        features: [N, D], float32.
        labels: [N], below ``num_classes``.
        fold_index: [N], from 0; groups must not straddle folds.
        groups: [N], used where inner folds have to be made (two outer folds).
        num_classes: K.
        class_weights: How classes count.
        seed: For inner folds.
    """
    num_folds = int(fold_index.max()) + 1
    if num_folds < 3:
        return _cross_validate_two_folds(
            features,
            labels,
            fold_index,
            groups=groups,
            num_classes=num_classes,
            class_weights=class_weights,
            seed=seed,
        )
    if is_large_problem(len(features), features.shape[1], num_classes):
        return _cross_validate_large(
            features, labels, fold_index, num_classes=num_classes, class_weights=class_weights
        )
    penalties = default_penalties(len(labels))
    left_out = [(fold,) for fold in range(num_folds)] + list(combinations(range(num_folds), 2))
    masks = np.stack([~np.isin(fold_index, folds) for folds in left_out])
    grid = _fit_grid(
        features,
        labels,
        masks,
        penalties,
        num_classes=num_classes,
        class_weights=class_weights,
    )
    pair_row = {pair: num_folds + row for row, pair in enumerate(left_out[num_folds:])}

    chosen: list[int] = []
    for outer in range(num_folds):
        total = np.zeros(len(penalties))
        for inner in range(num_folds):
            if inner != outer:
                row = pair_row[min(outer, inner), max(outer, inner)]
                rows = fold_index == inner
                total += _log_losses(grid.logits(row, features[rows]), labels[rows]).sum(1)
        chosen.append(int(total.argmin()))
    out_of_fold = np.empty((len(labels), num_classes))
    fold_heads: list[LinearHead] = []
    overall = np.zeros(len(penalties))
    for fold in range(num_folds):
        rows = fold_index == fold
        logits = grid.logits(fold, features[rows])
        out_of_fold[rows] = logits[chosen[fold]]
        fold_heads.append(grid.head(fold, chosen[fold], penalties[chosen[fold]]))
        overall += _log_losses(logits, labels[rows]).sum(1)
    overall /= len(labels)
    return CrossValidated(
        logits=out_of_fold,
        fold_penalties=tuple(penalties[index] for index in chosen),
        penalty=penalties[int(overall.argmin())],
        losses=dict(zip(penalties, map(float, overall), strict=True)),
        fold_heads=tuple(fold_heads),
    )


def choose_penalty(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    num_classes: int,
    class_weights: ClassWeights,
    seed: int,
    num_folds: int = 5,
    penalties: tuple[float, ...] | None = None,
) -> tuple[float, dict[float, float]]:
    """Returns the strength with the least cross-validated log loss, and the losses.

    Where a class has too few groups to be divided, the middle of the grid is taken and the
    losses are empty. ``penalties`` is the grid; by default, what suits so many images.
    """
    penalties = penalties or default_penalties(
        len(labels), is_large=is_large_problem(len(features), features.shape[1], num_classes)
    )
    try:
        plan = assign_folds(labels, groups, num_folds=num_folds, seed=seed)
    except DataError:
        return penalties[len(penalties) // 2], {}
    masks = np.stack([plan.fold_index != fold for fold in range(plan.num_folds)])
    grid = _fit_grid(
        features, labels, masks, penalties, num_classes=num_classes, class_weights=class_weights
    )
    losses = np.zeros(len(penalties))
    for fold in range(plan.num_folds):
        rows = plan.fold_index == fold
        losses += _log_losses(grid.logits(fold, features[rows]), labels[rows]).sum(1)
    losses /= len(labels)
    return penalties[int(losses.argmin())], dict(zip(penalties, map(float, losses), strict=True))


def score_random_folds(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    penalty: float,
    num_folds: int,
    num_classes: int,
    class_weights: ClassWeights,
    seed: int,
) -> NDArray[np.int64]:
    """Returns predictions [N] out of folds that ignore groups: what a careless split reports."""
    alone = np.arange(len(labels))
    plan = assign_folds(labels, alone, num_folds=num_folds, seed=seed)
    return predict_out_of_fold(
        features,
        labels,
        plan.fold_index,
        penalty=penalty,
        num_classes=num_classes,
        class_weights=class_weights,
    )


def predict_out_of_fold(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    fold_index: NDArray[np.int64],
    *,
    penalty: float,
    num_classes: int,
    class_weights: ClassWeights,
) -> NDArray[np.int64]:
    """Returns predictions [N], each by a head of the given strength without the image's fold."""
    num_folds = int(fold_index.max()) + 1
    masks = np.stack([fold_index != fold for fold in range(num_folds)])
    grid = _fit_grid(
        features, labels, masks, (penalty,), num_classes=num_classes, class_weights=class_weights
    )
    predicted = np.empty(len(labels), np.int64)
    for fold in range(num_folds):
        rows = fold_index == fold
        predicted[rows] = grid.logits(fold, features[rows])[0].argmax(1)
    return predicted


def _cross_validate_large(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    fold_index: NDArray[np.int64],
    *,
    num_classes: int,
    class_weights: ClassWeights,
) -> CrossValidated:
    """The same with as few heads as choosing honestly needs, each on its own rows alone."""
    num_folds = int(fold_index.max()) + 1
    penalties = default_penalties(len(labels), is_large=True)
    # Decided once: the rows of one fit may happen to miss a rare class.
    class_weights = decide_class_weights(
        torch.from_numpy(labels), num_classes=num_classes, chosen=class_weights
    )

    def fit_without(folds: tuple[int, ...], strengths: tuple[float, ...]) -> _Grid:
        rows = ~np.isin(fold_index, folds)
        return _fit_grid(
            features[rows],
            labels[rows],
            np.ones((1, int(rows.sum())), bool),
            strengths,
            num_classes=num_classes,
            class_weights=class_weights,
        )

    inner_losses = np.zeros((num_folds, len(penalties)))  # by the outer fold they choose for
    for fold in range(num_folds):
        neighbour = (fold + 1) % num_folds
        grid = fit_without((fold, neighbour), penalties)
        for outer, inner in ((fold, neighbour), (neighbour, fold)):
            rows = fold_index == inner
            inner_losses[outer] += _log_losses(grid.logits(0, features[rows]), labels[rows]).sum(1)
    chosen = tuple(penalties[int(losses.argmin())] for losses in inner_losses)
    overall = inner_losses.sum(0) / (2 * len(labels))  # every fold was twice the inner one
    out_of_fold = np.empty((len(labels), num_classes))
    fold_heads: list[LinearHead] = []
    for fold, strength in enumerate(chosen):
        rows = fold_index == fold
        grid = fit_without((fold,), (strength,))
        out_of_fold[rows] = grid.logits(0, features[rows])[0]
        fold_heads.append(grid.head(0, 0, strength))
    return CrossValidated(
        logits=out_of_fold,
        fold_penalties=chosen,
        penalty=penalties[int(overall.argmin())],
        losses=dict(zip(penalties, map(float, overall), strict=True)),
        fold_heads=tuple(fold_heads),
    )


def _cross_validate_two_folds(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    fold_index: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    num_classes: int,
    class_weights: ClassWeights,
    seed: int,
) -> CrossValidated:
    # One grid, so that the halves' losses add up.
    is_large = is_large_problem(len(features), features.shape[1], num_classes)
    penalties = default_penalties(len(labels), is_large=is_large)
    logits = np.empty((len(labels), num_classes))
    chosen: list[float] = []
    fold_heads: list[LinearHead] = []
    overall = np.zeros(len(penalties))
    num_scored = 0
    for fold in (0, 1):
        inside, outside = fold_index != fold, fold_index == fold
        penalty, losses = choose_penalty(
            features[inside],
            labels[inside],
            groups=groups[inside],
            num_classes=num_classes,
            class_weights=class_weights,
            seed=seed,
            penalties=penalties,
        )
        chosen.append(penalty)
        if losses:
            overall += inside.sum() * np.array([losses[strength] for strength in penalties])
            num_scored += int(inside.sum())
        grid = _fit_grid(
            features,
            labels,
            inside[None],
            (penalty,),
            num_classes=num_classes,
            class_weights=class_weights,
        )
        logits[outside] = grid.logits(0, features[outside])[0]
        fold_heads.append(grid.head(0, 0, penalty))
    if num_scored == 0:  # neither half could be divided: both took the middle
        return CrossValidated(logits, tuple(chosen), chosen[0], {}, tuple(fold_heads))
    overall /= num_scored
    return CrossValidated(
        logits=logits,
        fold_penalties=tuple(chosen),
        penalty=penalties[int(overall.argmin())],
        losses=dict(zip(penalties, map(float, overall), strict=True)),
        fold_heads=tuple(fold_heads),
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Heads for M masks and S strengths, mask by mask."""

    heads: LinearHeads
    num_strengths: int

    def logits(self, mask: int, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the logits [S, n, K] of one mask's heads for ``features [n, D]``."""
        rows = slice(mask * self.num_strengths, (mask + 1) * self.num_strengths)
        heads = LinearHeads(
            self.heads.weight[rows], self.heads.bias[rows], self.heads.converged[rows]
        )
        result: NDArray[np.float32] = heads.logits(torch.from_numpy(features)).numpy()
        return result

    def head(self, mask: int, strength: int, penalty: float) -> LinearHead:
        """Returns one mask's head of one strength, copied, so that the others can go."""
        row = mask * self.num_strengths + strength
        weight, bias = self.heads.weight[row], self.heads.bias[row]
        return LinearHead(weight.clone().numpy(), bias.clone().numpy(), penalty)


def _fit_grid(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: NDArray[np.bool_],
    penalties: tuple[float, ...],
    *,
    num_classes: int,
    class_weights: ClassWeights,
) -> _Grid:
    """Fits heads for every mask [M, N] and strength [S]."""
    targets = torch.from_numpy(labels)
    rows = torch.from_numpy(masks).float()
    weights = row_weights(targets, rows, num_classes=num_classes, class_weights=class_weights)
    heads = fit_heads(
        torch.from_numpy(features),
        targets,
        weights=weights.repeat_interleave(len(penalties), 0),
        penalties=torch.tensor(penalties).repeat(len(masks)),
        num_classes=num_classes,
    )
    return _Grid(heads, len(penalties))


def _log_losses(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Floats:
    """Returns the log loss [S, n] of ``logits [S, n, K]``."""
    shifted = logits - logits.max(2, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(2))
    losses: Floats = log_sum - shifted[:, np.arange(len(labels)), labels]
    return losses
