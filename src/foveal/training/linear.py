"""Linear heads: multinomial logistic regression over what was read, all folds in one batch.

Nested cross-validation that costs little more than a plain one: to choose a penalty for
outer fold ``o``, heads are needed that saw neither ``o`` nor an inner fold ``i``. The head
without ``{o, i}`` serves both ways round, so five folds ask for ten pairs, not twenty; and
all of them are fitted in one batch. A large problem (hundreds of classes) takes the five pairs
of neighbouring folds and then fits, for each outer fold, the chosen penalty alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.errors import DataError
from foveal.evaluation import ModelDescription
from foveal.features.reading import POOLED, Reading
from foveal.training.fold_model import ExactMap, FoldFits, FoldModel, Split
from foveal.training.problem import Problem
from foveal.training.solver import LinearHeads, default_penalties, fit_heads, is_large_problem

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """``logits = read @ weight.T + bias``, over raw (not standardised) numbers.

    Attributes:
        weight: [K, D], float32.
        bias: [K], float32.
        penalty: The L2 penalty it was fitted with.
        reading: What it reads.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    penalty: float
    reading: Reading = field(default_factory=Reading)

    def logits(self, read: NDArray[np.float32]) -> Floats:
        """Returns logits [N, K] for ``read [N, D]``."""
        result: Floats = (read @ self.weight.T + self.bias).astype(np.float64)
        return result

    def module(self) -> nn.Module:
        """Returns it as ``nn.Linear``."""
        linear = torch.nn.Linear(self.weight.shape[1], self.weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(self.weight))
            linear.bias.copy_(torch.from_numpy(self.bias))
        return linear.eval()

    def exact_map(self) -> ExactMap:
        """Returns its weights."""
        return ExactMap(self.weight, self.bias)

    def whole_network(self, network: nn.Module) -> nn.Module:
        """Returns a copy of the network with this as its classifier."""
        from foveal.models.backbone import install_head
        from foveal.models.over_stages import StagedClassifier, StagedNetwork

        if self.reading.stages:
            staged = StagedNetwork(network, self.reading.stages)
            return StagedClassifier(staged, self.module(), self.reading.widths).eval()
        whole = copy.deepcopy(network)
        install_head(whole, torch.from_numpy(self.weight), torch.from_numpy(self.bias))
        return whole.eval()

    def describe(self) -> ModelDescription:
        """Returns what it is."""
        stages = ""
        parameters: dict[str, Any] = {"penalty": self.penalty}
        if self.reading.stages:
            stages = f" of {len(self.reading.widths)} stages of the network"
            parameters["stages"] = list(self.reading.stages)
        return ModelDescription(
            "stages" if self.reading.stages else "linear",
            f"multinomial logistic regression on standardised features{stages}, "
            f"L2 penalty {self.penalty:g}",
            parameters,
        )


@dataclass(frozen=True, slots=True)
class LinearMaker:
    """Makes linear heads over one reading."""

    reading: Reading = field(default_factory=Reading)

    @property
    def kind(self) -> str:
        """``"stages"`` where it reads them all."""
        return "stages" if self.reading.stages else "linear"

    def fit_folds(self, problem: Problem) -> FoldFits:
        """Returns out-of-fold logits and heads; see ``FoldModelMaker``."""
        if problem.is_holdout:
            training = problem.take(problem.fold_index < 0)
            penalty, losses = choose_penalty(training, self.reading)
            head = fit_head(training, penalty=penalty, reading=self.reading)
            tested = problem.take(problem.fold_index >= 0).read(self.reading)
            logits: Floats = head.logits(tested)
            fold_heads: tuple[LinearHead, ...] = (head,)
        else:
            crossed = cross_validate(problem, self.reading)
            penalty, losses = crossed.penalty, crossed.losses
            head = fit_head(problem, penalty=penalty, reading=self.reading)
            logits, fold_heads = crossed.logits, crossed.fold_heads
        return FoldFits(
            logits=logits,
            fold_models=fold_heads,
            model=head,
            detail=f"L2 penalty {penalty:.2g}",
            facts={
                "penalty": penalty,
                "losses": {f"{one:.6g}": round(loss, 6) for one, loss in losses.items()},
            },
        )

    def refit(
        self,
        problem: Problem,
        splits: Sequence[Split],
        *,
        like: FoldModel,
        num_rows: int | None = None,
    ) -> list[NDArray[np.floating]]:
        """Returns logits by split; see ``FoldModelMaker``."""
        assert isinstance(like, LinearHead)
        penalties = [
            like.penalty * (1 if num_rows is None else num_rows / max(1, split.trained.sum()))
            for split in splits
        ]
        read, labels = torch.from_numpy(problem.read(self.reading)), problem.labels
        heads = fit_heads(
            read,
            torch.from_numpy(labels),
            weights=problem.row_weights(np.stack([split.trained for split in splits])),
            penalties=torch.tensor(penalties),
            num_classes=problem.num_classes,
            widths=self.reading.widths,
            # A thousandth of a nat moves no answer that a curve would show.
            tolerance=1e-4 if num_rows is None else 1e-3,
        )
        return [
            (read[split.tested] @ weight.T + bias).numpy()
            for split, weight, bias in zip(splits, heads.weight, heads.bias, strict=True)
        ]


def fit_head(problem: Problem, *, penalty: float, reading: Reading = POOLED) -> LinearHead:
    """Fits the head of a given penalty on all images, to a tighter tolerance than in search."""
    heads = fit_heads(
        torch.from_numpy(problem.read(reading)),
        torch.from_numpy(problem.labels),
        weights=problem.row_weights(np.ones((1, len(problem)), bool)),
        penalties=torch.tensor([penalty]),
        num_classes=problem.num_classes,
        widths=reading.widths,
        tolerance=1e-5,
    )
    return LinearHead(heads.weight[0].numpy(), heads.bias[0].numpy(), penalty, reading)


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What cross-validation gives.

    Attributes:
        logits: [N, K], each row from a head that did not see its fold.
        fold_penalties: The penalty chosen for each fold, without that fold.
        penalty: The penalty for a head on everything.
        losses: Mean out-of-fold log loss by penalty, over all folds; empty where two folds
            had too few groups to be divided further.
        fold_heads: The head that gave each fold's logits.
    """

    logits: Floats
    fold_penalties: tuple[float, ...]
    penalty: float
    losses: dict[float, float]
    fold_heads: tuple[LinearHead, ...]


def cross_validate(problem: Problem, reading: Reading = POOLED) -> CrossValidated:
    """Returns out-of-fold logits and the penalties that were chosen.

    Args:
        problem: Every image in a fold.
        reading: What the heads read.
    """
    grids = _Grids(problem, reading)
    if problem.num_folds < 3:
        return _cross_validate_two_folds(grids)
    if is_large(problem, reading):
        return _cross_validate_large(grids)
    num_folds, labels = problem.num_folds, problem.labels
    penalties = default_penalties(len(problem))
    left_out = [(fold,) for fold in range(num_folds)] + list(combinations(range(num_folds), 2))
    grid = grids.fit(np.stack([grids.without(folds) for folds in left_out]), penalties)
    pair_row = {pair: num_folds + row for row, pair in enumerate(left_out[num_folds:])}

    chosen: list[int] = []
    for outer in range(num_folds):
        total = np.zeros(len(penalties))
        for inner in range(num_folds):
            if inner != outer:
                row = pair_row[min(outer, inner), max(outer, inner)]
                rows = problem.fold_index == inner
                total += _log_losses(grid.logits(row, rows), labels[rows]).sum(1)
        chosen.append(int(total.argmin()))
    out_of_fold = np.empty((len(labels), problem.num_classes))
    fold_heads: list[LinearHead] = []
    overall = np.zeros(len(penalties))
    for fold in range(num_folds):
        rows = problem.fold_index == fold
        logits = grid.logits(fold, rows)
        out_of_fold[rows] = logits[chosen[fold]]
        fold_heads.append(grid.head(fold, chosen[fold]))
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
    problem: Problem,
    reading: Reading = POOLED,
    *,
    num_folds: int = 5,
    penalties: tuple[float, ...] | None = None,
) -> tuple[float, dict[float, float]]:
    """Returns the penalty with the least cross-validated log loss, and the losses.

    Where a class has too few groups to be divided, the middle of the grid is taken and the
    losses are empty.

    Args:
        problem: The images; folds of its groups are drawn here.
        reading: What the heads read.
        num_folds: How many folds.
        penalties: The grid; by default, what suits so many images.
    """
    penalties = penalties or default_penalties(len(problem), is_large=is_large(problem, reading))
    try:
        plan = assign_folds(problem.labels, problem.groups, num_folds=num_folds, seed=problem.seed)
    except DataError:
        return penalties[len(penalties) // 2], {}
    grids = _Grids(problem.with_folds(plan.fold_index), reading)
    grid = grids.fit(
        np.stack([grids.without((fold,)) for fold in range(plan.num_folds)]), penalties
    )
    losses = np.zeros(len(penalties))
    for fold in range(plan.num_folds):
        rows = plan.fold_index == fold
        losses += _log_losses(grid.logits(fold, rows), problem.labels[rows]).sum(1)
    losses /= len(problem)
    return penalties[int(losses.argmin())], dict(zip(penalties, map(float, losses), strict=True))


def predict_out_of_fold(
    problem: Problem, *, penalty: float, reading: Reading = POOLED
) -> NDArray[np.int64]:
    """Returns predictions [N], each by a head of the given penalty without the image's fold."""
    grids = _Grids(problem, reading)
    grid = grids.fit(
        np.stack([grids.without((fold,)) for fold in range(problem.num_folds)]), (penalty,)
    )
    predicted = np.empty(len(problem), np.int64)
    for fold in range(problem.num_folds):
        rows = problem.fold_index == fold
        predicted[rows] = grid.logits(fold, rows)[0].argmax(1)
    return predicted


def _cross_validate_large(grids: _Grids) -> CrossValidated:
    """The same with as few heads as choosing honestly needs, each on its own rows alone."""
    problem = grids.problem
    num_folds, labels = problem.num_folds, problem.labels
    penalties = default_penalties(len(labels), is_large=True)
    inner_losses = np.zeros((num_folds, len(penalties)))  # by the outer fold they choose for
    for fold in range(num_folds):
        neighbour = (fold + 1) % num_folds
        grid = grids.fit_alone((fold, neighbour), penalties)
        for outer, inner in ((fold, neighbour), (neighbour, fold)):
            rows = problem.fold_index == inner
            inner_losses[outer] += _log_losses(grid.logits(0, rows), labels[rows]).sum(1)
    chosen = tuple(penalties[int(losses.argmin())] for losses in inner_losses)
    overall = inner_losses.sum(0) / (2 * len(labels))  # every fold was twice the inner one
    out_of_fold = np.empty((len(labels), problem.num_classes))
    fold_heads: list[LinearHead] = []
    for fold, penalty in enumerate(chosen):
        rows = problem.fold_index == fold
        grid = grids.fit_alone((fold,), (penalty,))
        out_of_fold[rows] = grid.logits(0, rows)[0]
        fold_heads.append(grid.head(0, 0))
    return CrossValidated(
        logits=out_of_fold,
        fold_penalties=chosen,
        penalty=penalties[int(overall.argmin())],
        losses=dict(zip(penalties, map(float, overall), strict=True)),
        fold_heads=tuple(fold_heads),
    )


def _cross_validate_two_folds(grids: _Grids) -> CrossValidated:
    problem = grids.problem
    # One grid of penalties, so that the halves' losses add up.
    penalties = default_penalties(len(problem), is_large=is_large(problem, grids.reading))
    logits = np.empty((len(problem), problem.num_classes))
    chosen: list[float] = []
    fold_heads: list[LinearHead] = []
    overall = np.zeros(len(penalties))
    num_scored = 0
    for fold in (0, 1):
        inside, outside = problem.fold_index != fold, problem.fold_index == fold
        penalty, losses = choose_penalty(problem.take(inside), grids.reading, penalties=penalties)
        chosen.append(penalty)
        if losses:
            overall += inside.sum() * np.array([losses[one] for one in penalties])
            num_scored += int(inside.sum())
        grid = grids.fit(inside[None], (penalty,))
        logits[outside] = grid.logits(0, outside)[0]
        fold_heads.append(grid.head(0, 0))
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


def is_large(problem: Problem, reading: Reading) -> bool:
    """Whether fitting a hundred heads takes minutes; see ``is_large_problem``."""
    num_features = problem.read(reading).shape[1]
    return is_large_problem(len(problem), num_features, problem.num_classes)


class _Grids:
    """Fits heads on subsets of a problem, for several penalties at once."""

    def __init__(self, problem: Problem, reading: Reading) -> None:
        self.problem = problem
        self.reading = reading
        self.read = problem.read(reading)

    def without(self, folds: tuple[int, ...]) -> NDArray[np.bool_]:
        """Returns the mask [N] of images outside ``folds``."""
        outside: NDArray[np.bool_] = ~np.isin(self.problem.fold_index, folds)
        return outside

    def fit(self, masks: NDArray[np.bool_], penalties: tuple[float, ...]) -> _Grid:
        """Fits heads for every mask [M, N] and penalty [S]."""
        return self._fit(self.problem, self.read, masks, penalties)

    def fit_alone(self, left_out: tuple[int, ...], penalties: tuple[float, ...]) -> _Grid:
        """The same without some folds, whose images are not even read."""
        rows = self.without(left_out)
        # How classes count is decided by all images: a fit's own may miss a rare class.
        problem = replace(self.problem.take(rows), class_weights=self.problem.decided_weights())
        return self._fit(problem, self.read[rows], np.ones((1, len(problem)), bool), penalties)

    def _fit(
        self,
        problem: Problem,
        read: NDArray[np.float32],
        masks: NDArray[np.bool_],
        penalties: tuple[float, ...],
    ) -> _Grid:
        heads = fit_heads(
            torch.from_numpy(read),
            torch.from_numpy(problem.labels),
            weights=problem.row_weights(masks).repeat_interleave(len(penalties), 0),
            penalties=torch.tensor(penalties).repeat(len(masks)),
            num_classes=problem.num_classes,
            widths=self.reading.widths,
        )
        return _Grid(heads, penalties, self.read, self.reading)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Heads for M masks and S penalties, mask by mask."""

    heads: LinearHeads
    penalties: tuple[float, ...]
    read: NDArray[np.float32]
    reading: Reading

    def logits(self, mask: int, rows: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Returns the logits [S, n, K] of one mask's heads for ``rows`` of what was read."""
        start = mask * len(self.penalties)
        fits = slice(start, start + len(self.penalties))
        heads = LinearHeads(
            self.heads.weight[fits], self.heads.bias[fits], self.heads.converged[fits]
        )
        result: NDArray[np.float32] = heads.logits(torch.from_numpy(self.read[rows])).numpy()
        return result

    def head(self, mask: int, index: int) -> LinearHead:
        """Returns one mask's head of one penalty, copied, so that the others can go."""
        row = mask * len(self.penalties) + index
        weight, bias = self.heads.weight[row], self.heads.bias[row]
        return LinearHead(
            weight.clone().numpy(), bias.clone().numpy(), self.penalties[index], self.reading
        )


def _log_losses(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Floats:
    """Returns the log loss [S, n] of ``logits [S, n, K]``."""
    shifted = logits - logits.max(2, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(2))
    losses: Floats = log_sum - shifted[:, np.arange(len(labels)), labels]
    return losses
