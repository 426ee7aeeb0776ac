"""Fitting by a plan: out-of-fold logits and the model that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.training.fold_model import FoldModel, FoldModelMaker, Split
from foveal.training.learning_curve import measure_learning_curve
from foveal.training.problem import Problem
from foveal.training.steps import StepLog


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What fitting by a plan gives.

    Attributes:
        model: The one that is kept: on all images, or on the training part of a hold-out.
        rows: [M], the usable images that were judged.
        logits: [M, K], each from a model that had not seen the image's group.
        fold_index: [M].
        fold_models: By fold, the model that gave its logits.
        fitted_rows: [N'], the usable images that the kept model has seen.
        random_predictions: [M], out of folds that ignore groups; ``None`` without groups.
        curve: Training sizes [S] and accuracies [S, R]; ``None`` for a hold-out.
    """

    model: FoldModel
    rows: NDArray[np.int64]
    logits: NDArray[np.float64]
    fold_index: NDArray[np.int64]
    fold_models: tuple[FoldModel, ...]
    fitted_rows: NDArray[np.int64]
    random_predictions: NDArray[np.int64] | None
    curve: tuple[NDArray[np.int64], NDArray[np.float64]] | None


def fit_by_plan(problem: Problem, maker: FoldModelMaker, *, log: StepLog) -> Fitted:
    """Fits models as the folds of ``problem`` say.

    Args:
        problem: The usable images; those that a given split leaves out have the fold −2.
        maker: Of the models.
        log: Follows the steps.
    """
    problem = problem.take(problem.fold_index >= -1)
    is_holdout = problem.is_holdout
    title = (
        "Fitting the head on the training part"
        if is_holdout
        else "Fitting heads, every fold and penalty"
    )
    with log.step("heads", title) as step:
        fits = maker.fit_folds(problem)
        random_predictions = None
        if not is_holdout and len(np.unique(problem.groups)) < len(problem):
            random_predictions = predict_random_folds(problem, maker, like=fits.model)
        step.note(fits.detail, **fits.facts)
    curve = None
    if not is_holdout:
        with log.step("learning_curve", "Measuring the learning curve"):
            accuracy = float((fits.logits.argmax(1) == problem.labels).mean())
            curve = measure_learning_curve(problem, maker, like=fits.model, full_accuracy=accuracy)
    judged = problem.fold_index >= 0
    return Fitted(
        model=fits.model,
        rows=problem.rows[judged],
        logits=fits.logits,
        fold_index=problem.fold_index[judged],
        fold_models=fits.fold_models,
        fitted_rows=problem.rows[~judged] if is_holdout else problem.rows,
        random_predictions=random_predictions,
        curve=curve,
    )


def predict_random_folds(
    problem: Problem, maker: FoldModelMaker, *, like: FoldModel
) -> NDArray[np.int64]:
    """Returns predictions [N] out of folds that ignore groups: what a careless split reports."""
    alone = replace(problem, groups=np.arange(len(problem)))
    plan = assign_folds(alone.labels, alone.groups, num_folds=problem.num_folds, seed=problem.seed)
    splits = [
        Split(plan.fold_index != fold, np.flatnonzero(plan.fold_index == fold))
        for fold in range(plan.num_folds)
    ]
    predicted = np.empty(len(problem), np.int64)
    for split, logits in zip(splits, maker.refit(alone, splits, like=like), strict=True):
        predicted[split.tested] = logits.argmax(1)
    return predicted
