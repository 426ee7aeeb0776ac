"""Several fitted classifiers as one: a weighted sum of their logits, the weights out of fold.

Stacked generalisation (Wolpert 1992; Breiman 1996, "Stacked regressions", with weights that are not
negative). A weight is all that each classifier gets, so that a few hundred images decide it well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from foveal.evaluation import ModelDescription
from foveal.evaluation.inputs import cross_fitting_folds
from foveal.features.reading import INPUT, Reading
from foveal.models.stacked import StackedClassifier
from foveal.training.fold_model import FoldFits, FoldModel
from foveal.training.problem import Problem

Floats = NDArray[np.float64]

_BATCH = 32
_TOWARDS_EQUAL = 1.0
"""How many images' worth of log loss a weight that is 1 away from its equal share costs."""


@dataclass(frozen=True, slots=True, eq=False)
class StackedModel:
    """Members that answer together; it reads the image itself, and each member runs its network.

    Attributes:
        members: Each of the same frozen network's.
        weights: Of their logits, none below 0.
        network: The frozen network.
        size: Height and width of the input in pixels.
    """

    members: tuple[FoldModel, ...]
    weights: tuple[float, ...]
    network: nn.Module
    size: tuple[int, int]

    @property
    def reading(self) -> Reading:
        """The prepared image."""
        return Reading(cut=INPUT, cut_shape=(3, *self.size))

    def logits(self, read: NDArray[np.float32]) -> Floats:
        """Returns logits [N, K] for images [N, 3, H, W], or each in a row."""
        images = read.reshape(len(read), 3, *self.size)
        module = self.module()
        with torch.inference_mode():
            parts = [
                module(torch.from_numpy(images[start : start + _BATCH])).double().numpy()
                for start in range(0, len(images), _BATCH)
            ]
        result: Floats = np.concatenate(parts)
        return result

    def module(self) -> nn.Module:
        """Returns all networks as one."""
        return self.whole_network(self.network)

    def exact_map(self) -> None:
        """There is none: its members have last feature maps of their own."""

    def whole_network(self, network: nn.Module) -> StackedClassifier:
        """Returns a network that holds one copy of the network for each member."""
        parts = [member.whole_network(network) for member in self.members]
        known = [part for part in parts if part is not None]
        assert len(known) == len(parts)
        return StackedClassifier(known, self.weights).eval()

    def describe(self) -> ModelDescription:
        """Returns what it is."""
        described = [member.describe() for member in self.members]
        terms = " + ".join(
            f"{weight:.2f} × {one.kind}"
            for weight, one in zip(self.weights, described, strict=True)
        )
        return ModelDescription(
            "stacked",
            f"logits added up as {terms}, weights from out-of-fold answers; "
            + "; ".join(f"{one.kind}: {one.sentence}" for one in described),
            {
                "weights": [round(weight, 6) for weight in self.weights],
                "members": [{"kind": one.kind, **one.parameters} for one in described],
            },
        )


def fit_weights(answers: Sequence[Floats], labels: NDArray[np.int64]) -> Floats:
    """Returns the weights [C], none below 0, whose sum of logits has the least log loss.

    Args:
        answers: Of each member, logits [N, K] of images that it has not seen.
        labels: [N].
    """
    from scipy.optimize import minimize

    stacked = np.stack(answers)
    rows = np.arange(len(labels))
    share = 1 / len(answers)

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = np.tensordot(weights, stacked, 1)
        shifted = logits - logits.max(1, keepdims=True)
        log_shares = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        error = np.exp(log_shares)
        error[rows, labels] -= 1
        away = weights - share
        total = -log_shares[rows, labels].sum() + _TOWARDS_EQUAL * (away**2).sum()
        slope = np.tensordot(stacked, error, 2) + 2 * _TOWARDS_EQUAL * away
        return float(total) / len(labels), slope / len(labels)

    start = np.full(len(answers), share)
    found: Floats = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(answers)
    ).x
    # Without any weight there is no answer.
    return found if found.sum() > 0 else start


def stack(
    problem: Problem,
    members: Sequence[FoldFits],
    *,
    network: nn.Module,
    size: tuple[int, int],
) -> FoldFits:
    """Returns members stacked: for every fold with weights from the answers of the other folds.

    Of a hold-out, the judged images are halved by group for this, and the kept model has the
    weights of all of them.

    Args:
        problem: The images.
        members: Fitted on its folds.
        network: The frozen network of all of them.
        size: Height and width of the input in pixels.
    """
    judged = problem.take(problem.fold_index >= 0)
    answers = [fits.logits for fits in members]
    groups = np.unique(judged.groups, return_inverse=True)[1].reshape(-1).astype(np.int64)
    parts = cross_fitting_folds(judged.fold_index, groups)
    logits = np.empty_like(answers[0])
    by_part = {}
    for part in np.unique(parts):
        mine = parts == part
        others = ~mine if (~mine).any() else mine
        weights = fit_weights([one[others] for one in answers], judged.labels[others])
        by_part[int(part)] = weights
        logits[mine] = np.tensordot(weights, np.stack([one[mine] for one in answers]), 1)
    kept = fit_weights(answers, judged.labels)

    def model(fitted: Sequence[FoldModel], weights: Floats) -> StackedModel:
        return StackedModel(tuple(fitted), tuple(map(float, weights)), network, size)

    num_folds = judged.num_folds
    fold_models = tuple(
        model(
            [fits.fold_models[fold] for fits in members],
            by_part[fold] if num_folds > 1 else kept,
        )
        for fold in range(num_folds)
    )
    whole = model([fits.model for fits in members], kept)
    return FoldFits(
        logits=logits,
        fold_models=fold_models,
        model=whole,
        detail="weights " + ", ".join(f"{weight:.2f}" for weight in kept),
        facts={"weights": [round(float(weight), 4) for weight in kept]},
    )
