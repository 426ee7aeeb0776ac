"""Fine-tuned suffixes: the part of the network after a cut, trained in every fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.draw.numbers import percent, short_count
from foveal.evaluation import ModelDescription
from foveal.features.reading import INPUT, Reading
from foveal.finetuning.checkpoints import CheckpointFolder
from foveal.finetuning.cuts import Candidate, Division, divide
from foveal.finetuning.epochs import TrainingListener
from foveal.finetuning.fitting import FitTask, FittedSuffix, fit_suffix
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BatchSource
from foveal.models import Backbone
from foveal.text import count_noun
from foveal.training.fold_model import FoldFits, FoldModel, Split
from foveal.training.linear import LinearHead, choose_penalty, fit_head
from foveal.training.problem import Problem

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]

_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class FineTunedModel:
    """A trained suffix, over what the frozen part gives at the cut.

    Attributes:
        division: The network whose suffix was trained; its own.
        fitted: How it went.
        start: The linear head on all of its training images, which it is compared with.
        recipe: How it was trained.
    """

    division: Division
    fitted: FittedSuffix
    start: LinearHead
    recipe: Recipe

    @property
    def reading(self) -> Reading:
        """The tensor at the cut; for a network that is trained as a whole, the image itself."""
        candidate = self.division.candidate
        return Reading(cut=candidate.name or INPUT, cut_shape=candidate.shape)

    def logits(self, read: NDArray[np.float32]) -> Floats:
        """Returns logits [N, K] for the tensors at the cut, in their shape or in a row."""
        shaped = read.reshape(len(read), *self.division.candidate.shape)
        suffix = self.division.suffix
        with torch.inference_mode():
            parts = [
                suffix(torch.from_numpy(shaped[start : start + _BATCH])).double().numpy()
                for start in range(0, len(shaped), _BATCH)
            ]
        result: Floats = np.concatenate(parts)
        return result

    def module(self) -> nn.Module:
        """Returns a copy of the suffix."""
        return copy.deepcopy(self.division.suffix).requires_grad_(True).eval()

    def exact_map(self) -> None:
        """There is none: each fold has a last feature map of its own."""

    def whole_network(self, network: nn.Module) -> nn.Module:
        """Returns a copy of the whole network, frozen part and trained suffix."""
        return copy.deepcopy(self.division.network).requires_grad_(False).eval()

    @property
    def is_trained(self) -> bool:
        """Whether anything of the training was kept, and not its linear start alone."""
        return self.fitted.share > 0 and any(epoch > 0 for epoch in self.fitted.kept_epochs)

    def describe(self) -> ModelDescription:
        """Returns what it is: where its start was kept, that linear head."""
        if not self.is_trained:
            return ModelDescription(
                "linear",
                f"{self.start.describe().sentence}; fine-tuning was tried, and no epoch of it was "
                "better on the inner split",
                {"penalty": self.start.penalty},
            )
        candidate, recipe = self.division.candidate, self.recipe
        parameters = {
            "cut": candidate.name,
            "num_trained_parameters": candidate.num_trained,
            "num_epochs": recipe.num_epochs,
            "kept_epochs": list(self.fitted.kept_epochs),
            "share_of_the_way": self.fitted.share,
            "first_rate": recipe.first_rate,
            "head_rate": recipe.head_rate,
            "num_seeds": recipe.num_seeds,
            "penalty_of_start": self.start.penalty,
        }
        after = f"after {candidate.name}" if candidate.name else "from its first layer on"
        how, start = (
            ("the network trained from a random start", "that start")
            if recipe.starts_at_random
            else (f"the network {after} fine-tuned", "its linear start")
        )
        sentence = (
            f"{how} ({short_count(candidate.num_trained)} parameters, "
            f"epoch {self.fitted.kept_epochs[0]} of {recipe.num_epochs}"
            + (f", {recipe.num_seeds} seeds averaged" if recipe.num_seeds > 1 else "")
            + f"), {percent(self.fitted.share)} of the way from {start}"
        )
        return ModelDescription(self.kind, sentence, parameters)

    @property
    def kind(self) -> str:
        """The maker's word."""
        return "fine-tuned"


@dataclass(frozen=True, slots=True, eq=False)
class FineTunedMaker:
    """Trains the suffix after one cut, in every fold and on everything.

    Attributes:
        backbone: The pretrained network.
        candidate: Where it is cut.
        size: Height and width of the input in pixels.
        source: Batches, by the problem's ``rows``.
        recipe: How it is trained; ``precision`` settled.
        checkpoints: Where trainings go on from.
        listener: Is told of steps and epochs.
        image_names: By row, for errors.
        targets: Shares of the classes that are learned, [N, K]; ``None`` for the labels.
    """

    backbone: Backbone
    candidate: Candidate
    size: tuple[int, int]
    source: BatchSource
    recipe: Recipe
    checkpoints: CheckpointFolder | None = None
    listener: TrainingListener | None = None
    image_names: Sequence[str] = ()
    targets: NDArray[np.float32] | None = None
    kind: str = "fine-tuned"

    def fit_folds(self, problem: Problem) -> FoldFits:
        """Returns out-of-fold logits and suffixes; see ``FoldModelMaker``."""
        judged = np.flatnonzero(problem.fold_index >= 0)
        logits = np.empty((len(problem), problem.num_classes))
        models = []
        for fold in range(problem.num_folds):
            trained, tested = problem.fold_index != fold, problem.fold_index == fold
            model = self._fit(problem, trained, name=f"fold-{fold + 1}")
            logits[tested] = self._answer(model, problem.rows[tested])
            models.append(model)
        if problem.is_holdout:
            kept = models[0]
        else:
            kept = self._fit(problem, np.ones(len(problem), bool), name="all")
        names = [f"Fold {fold + 1}" for fold in range(len(models))]
        if kept is not models[0]:
            names.append("On everything")
        notes = [
            f"{name}: {note[0].lower()}{note[1:]}"
            for name, model in zip(names, dict.fromkeys((*models, kept)), strict=True)
            for note in model.fitted.notes
        ]
        return FoldFits(
            logits=logits[judged],
            fold_models=tuple(models),
            model=kept,
            detail=f"{count_noun(len(models), 'fold')}, {kept.describe().sentence}",
            facts={
                "kept_epochs": [list(model.fitted.kept_epochs) for model in models],
                "shares": [model.fitted.share for model in models],
                "notes": notes,
                "gap": kept.fitted.gap_sentence,
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
        """Returns logits by split; each is a training of its own."""
        assert isinstance(like, FineTunedModel)
        answers: list[NDArray[np.floating]] = []
        alone = replace(self, checkpoints=None, recipe=like.recipe)
        for split in splits:
            model = alone._fit(problem, split.trained, name="again", penalty=like.start.penalty)
            answers.append(self._answer(model, problem.rows[split.tested]))
        return answers

    def _fit(
        self,
        problem: Problem,
        trained: NDArray[np.bool_],
        *,
        name: str,
        penalty: float | None = None,
    ) -> FineTunedModel:
        training = problem.take(trained)
        start = _fit_start(training, penalty)
        division = divide(
            self.backbone, self.candidate, num_classes=problem.num_classes, size=self.size
        )
        num_images = len(self.source.digests)
        labels, groups = np.zeros(num_images, np.int64), np.zeros(num_images, np.int64)
        weights = np.ones(num_images, np.float32)
        labels[problem.rows], groups[problem.rows] = problem.labels, problem.groups
        everyone = np.ones((1, len(training)), bool)
        weights[training.rows] = training.row_weights(everyone)[0].numpy()
        task = FitTask(
            labels=labels,
            targets=np.eye(problem.num_classes, dtype=np.float32)[labels]
            if self.targets is None
            else self.targets,
            weights=weights,
            groups=groups,
            rows=training.rows,
            class_names=problem.class_names,
            names=lambda row: self.image_names[row] if self.image_names else str(row),
        )
        fitted = fit_suffix(
            division,
            self.source,
            task,
            self.recipe,
            head=lambda rows: _weights_of(
                start
                if len(rows) == len(training)
                else _fit_start(training.take(np.isin(training.rows, rows)), penalty)
            ),
            name=name,
            checkpoints=self.checkpoints,
            listener=self.listener,
        )
        return FineTunedModel(division, fitted, start, self.recipe)

    def _answer(self, model: FineTunedModel, rows: NDArray[np.int64]) -> Floats:
        from foveal.finetuning.loop import predict_logits

        return predict_logits(model.division.suffix, self.source, rows)


def _fit_start(training: Problem, penalty: float | None) -> LinearHead:
    if penalty is None:
        penalty, _ = choose_penalty(training)
    return fit_head(training, penalty=penalty)


def _weights_of(head: LinearHead) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return head.weight, head.bias
