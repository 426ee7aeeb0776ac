"""Kernel ridge regression on the stages of a network: one RBF kernel a stage, averaged.

The classes are regressed on as zeros and ones (least-squares classification; Rifkin, Yeo and Poggio
2003), because everything about left-out images then has a closed form. With A = K + λ·W⁻¹ and
α = A⁻¹·y, a model that had not seen the images B would miss their targets by

    y_B - f₋B(x_B) = ((A⁻¹)_BB)⁻¹ · α_B

(Rifkin and Lippert 2007, "Notes on regularized least squares", for one image; the same algebra
holds for a block). So one inverse a penalty answers every inner fold, whole groups at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.dataset import assign_folds
from foveal.errors import DataError
from foveal.evaluation import ModelDescription, fit_temperature
from foveal.features.reading import Reading
from foveal.models.over_stages import (
    GAMMA,
    KERNEL_CHUNK,
    KernelHead,
    StagedClassifier,
    StagedNetwork,
)
from foveal.training.fold_model import FoldFits, FoldModel, Split
from foveal.training.problem import Problem

if TYPE_CHECKING:
    from torch import nn

    from foveal.training.fold_model import ExactMap

Floats = NDArray[np.float64]

MAX_IMAGES = 6000
"""With more, the kernel's inverse takes minutes and gigabytes."""

PENALTIES = (0.03, 0.1, 0.3, 1.0)
_VARIANCE_FLOOR = 0.5  # as for linear heads: docs/decisions/0006
_SHARPNESS = 8.0  # of logits, where inner folds cannot say: nothing was answered wrongly


@dataclass(frozen=True, slots=True, eq=False)
class _Scaling:
    """Puts every stage on one scale: the mean squared distance of two images is 1.

    Attributes:
        mean: [T].
        factor: [T].
    """

    mean: NDArray[np.float32]
    factor: NDArray[np.float32]

    @classmethod
    def of(cls, read: NDArray[np.float32], widths: Sequence[int]) -> _Scaling:
        mean, variance = read.mean(0, dtype=np.float64), read.var(0, dtype=np.float64)
        factor = np.empty(len(mean))
        for columns in _columns(widths):
            own = variance[columns]
            scaled = own + _VARIANCE_FLOOR * own.mean()
            total = float((own / np.where(scaled > 0, scaled, 1)).sum())
            # A stage that is the same for all images says nothing, and gives a constant.
            usable = total > 0
            factor[columns] = 1 / np.sqrt(2 * total * scaled) if usable else 0.0
        return cls(mean.astype(np.float32), factor.astype(np.float32))

    def apply(self, read: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns [N, T]."""
        return (read - self.mean) * self.factor


def _columns(widths: Sequence[int]) -> list[slice]:
    ends = np.cumsum(widths)
    return [slice(int(end - width), int(end)) for width, end in zip(widths, ends, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class KernelModel:
    """``logits = sharpness * (intercept + k(read, support) @ coefficients)``.

    Attributes:
        support: [n, T], the images it was fitted on, scaled.
        coefficients: [n, K].
        intercept: [K].
        sharpness: Turns regressed zeros and ones into logits.
        scaling: Of what is read.
        penalty: λ.
        reading: What it reads: stages and their widths.
        kind: The maker's word.
    """

    support: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    intercept: NDArray[np.float32]
    sharpness: float
    scaling: _Scaling
    penalty: float
    reading: Reading
    kind: str = "kernel"

    def logits(self, read: NDArray[np.float32]) -> Floats:
        """Returns logits [N, K] for ``read [N, T]``."""
        scaled = self.scaling.apply(read)
        scores = np.concatenate(
            [
                _kernel(scaled[start : start + KERNEL_CHUNK], self.support, self.reading.widths)
                @ self.coefficients
                for start in range(0, len(scaled), KERNEL_CHUNK)
            ]
        )
        return (self.sharpness * (scores + self.intercept)).astype(np.float64)

    def module(self) -> nn.Module:
        """Returns it with its support images as buffers."""
        return KernelHead.of(
            support=self.support,
            coefficients=self.coefficients,
            intercept=self.intercept,
            sharpness=self.sharpness,
            mean=self.scaling.mean,
            factor=self.scaling.factor,
            widths=self.reading.widths,
        )

    def whole_network(self, network: nn.Module) -> nn.Module:
        """Returns a copy of the network with this behind its stages."""
        staged = StagedNetwork(network, self.reading.stages)
        return StagedClassifier(staged, self.module(), self.reading.widths).eval()

    def exact_map(self) -> ExactMap | None:
        """Returns ``None``: a kernel bends."""
        return None

    def describe(self) -> ModelDescription:
        """Returns what it is."""
        num_views = len(self.reading.views)
        views = f", averaged over {num_views} views" if num_views > 1 else ""
        return ModelDescription(
            self.kind,
            f"kernel ridge regression on {len(self.reading.widths)} stages of the network"
            f"{views}, the "
            f"mean of one RBF kernel a stage, {len(self.support)} support images, "
            f"penalty {self.penalty:g}",
            {
                "penalty": self.penalty,
                "gamma": GAMMA,
                "stages": list(self.reading.stages),
                "num_support": len(self.support),
            },
        )


def _kernel(
    first: NDArray[np.float32], second: NDArray[np.float32], widths: Sequence[int]
) -> NDArray[np.float32]:
    """Returns [n, m]: the mean over stages of exp(-γ·d²)."""
    total = np.zeros((len(first), len(second)), np.float32)
    for columns in _columns(widths):
        one, other = first[:, columns], second[:, columns]
        distance = np.square(one).sum(1)[:, None] + np.square(other).sum(1) - 2 * one @ other.T
        np.maximum(distance, 0, out=distance)  # rounding
        total += np.exp(-GAMMA * distance)
    return total / np.float32(len(widths))


@dataclass(frozen=True, slots=True)
class KernelMaker:
    """Makes kernel models over the stages of a reading, whose widths it needs."""

    reading: Reading
    kind: str = "kernel"

    def fit_folds(self, problem: Problem) -> FoldFits:
        """Returns out-of-fold logits and models; see ``FoldModelMaker``."""
        read = problem.read(self.reading)
        judged = np.flatnonzero(problem.fold_index >= 0)
        logits = np.empty((len(problem), problem.num_classes))
        fold_models = []
        for fold in range(problem.num_folds):
            rows = problem.fold_index == fold
            fitted = self._fit(problem.take(~rows), read[~rows])
            logits[rows] = fitted.logits(read[rows])
            fold_models.append(fitted)
        model = fold_models[0] if problem.is_holdout else self._fit(problem, read)
        return FoldFits(
            logits=logits[judged],
            fold_models=tuple(fold_models),
            model=model,
            detail=f"kernel, penalty {model.penalty:.2g}",
            facts={"penalty": model.penalty, "fold_penalties": [m.penalty for m in fold_models]},
        )

    def refit(
        self,
        problem: Problem,
        splits: Sequence[Split],
        *,
        like: FoldModel,
        num_rows: int | None = None,
    ) -> list[NDArray[np.floating]]:
        """Returns logits by split; λ is the prior's own, so that it stays with fewer images."""
        assert isinstance(like, KernelModel)
        read = problem.read(self.reading)
        answers: list[NDArray[np.floating]] = []
        for split in splits:
            part = problem.take(split.trained)
            system = _System(part, read[split.trained], self.reading, self.kind)
            model = system.model(like.penalty, like.sharpness)
            answers.append(model.logits(read[split.tested]))
        return answers

    def _fit(self, problem: Problem, read: NDArray[np.float32]) -> KernelModel:
        """Returns the model of all rows, its penalty chosen by inner folds of whole groups."""
        system = _System(problem, read, self.reading, self.kind)
        blocks = _inner_folds(problem)
        found: list[tuple[float, float, float]] = []
        for penalty in PENALTIES:
            scores = _SHARPNESS * system.left_out(penalty, blocks)
            temperature = fit_temperature(scores, problem.labels)
            shifted = scores / temperature
            log_sum = np.logaddexp.reduce(shifted, axis=1)
            loss = float((log_sum - shifted[np.arange(len(problem)), problem.labels]).mean())
            found.append((loss, penalty, _SHARPNESS / temperature))
        _, penalty, sharpness = min(found)
        return system.model(penalty, sharpness)


def _inner_folds(problem: Problem) -> list[NDArray[np.int64]]:
    """Returns rows of inner folds by group; each image alone where groups cannot be divided."""
    try:
        plan = assign_folds(problem.labels, problem.groups, num_folds=5, seed=problem.seed)
    except DataError:
        return [np.array([row]) for row in range(len(problem))]
    return [np.flatnonzero(plan.fold_index == fold) for fold in range(plan.num_folds)]


class _System:
    """The kernel and targets of the images that are fitted on."""

    def __init__(
        self, problem: Problem, read: NDArray[np.float32], reading: Reading, kind: str
    ) -> None:
        self._reading, self._kind = reading, kind
        self._scaling = _Scaling.of(read, reading.widths)
        self._support = self._scaling.apply(read)
        kernel = _kernel(self._support, self._support, reading.widths)
        self._kernel = torch.from_numpy(kernel).double()
        weights = problem.row_weights(np.ones((1, len(problem)), bool))[0].double()
        self._inverse_weights = weights.mean() / weights
        targets = torch.nn.functional.one_hot(
            torch.from_numpy(problem.labels), problem.num_classes
        ).double()
        self._intercept = (weights[:, None] * targets).sum(0) / weights.sum()
        self._targets = targets - self._intercept

    def _regularised(self, penalty: float) -> Tensor:
        return self._kernel + torch.diag(penalty * self._inverse_weights)

    def left_out(self, penalty: float, blocks: Sequence[NDArray[np.int64]]) -> Floats:
        """Returns scores [n, K], each by the model without the image's block."""
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(self._regularised(penalty)))
        coefficients = inverse @ self._targets
        scores = self._targets + self._intercept
        for rows in map(torch.from_numpy, blocks):
            block = inverse[rows[:, None], rows]
            scores[rows] -= torch.linalg.solve(block, coefficients[rows])
        found: Floats = scores.numpy()
        return found

    def model(self, penalty: float, sharpness: float) -> KernelModel:
        """Returns the fitted model."""
        factor = torch.linalg.cholesky(self._regularised(penalty))
        coefficients = torch.cholesky_solve(self._targets, factor)
        return KernelModel(
            support=self._support,
            coefficients=coefficients.float().numpy(),
            intercept=self._intercept.float().numpy(),
            sharpness=sharpness,
            scaling=self._scaling,
            penalty=penalty,
            reading=self._reading,
            kind=self._kind,
        )
