"""Fitting by a plan: out-of-fold logits and the model that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.evaluation import FineTuning, ModelChoice
from foveal.training.choosing import choose_maker, predict_random_folds
from foveal.training.fold_model import FoldFits, FoldModel, FoldModelMaker
from foveal.training.learning_curve import measure_learning_curve
from foveal.training.problem import Problem
from foveal.training.steps import StepLog


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What fitting by a plan gives.

    Attributes:
        model: The one that is kept: on all images, or on the training part of a hold-out.
        rows: [M], the usable images that were judged.
        logits: [M, K], each from a model that had not seen the image's group. They are what is
            reported: the kind of model is the one that the other folds choose.
        fold_index: [M].
        model_logits: [M, K], of the kind that is kept, for every fold.
        fold_models: By fold, the model that gave its ``model_logits``.
        fitted_rows: [N'], the usable images that the kept model has seen.
        random_predictions: [M], out of folds that ignore groups; ``None`` without groups.
        curve: Training sizes [S] and accuracies [S, R]; ``None`` for a hold-out.
        choice: How kinds of models were compared; ``None`` where one was asked for.
        candidates: The fits of every kind that was compared on these folds.
        fine_tuning: What is said of fine-tuning; ``None`` where it was not asked for.
    """

    model: FoldModel
    rows: NDArray[np.int64]
    logits: NDArray[np.float64]
    model_logits: NDArray[np.float64]
    fold_index: NDArray[np.int64]
    fold_models: tuple[FoldModel, ...]
    fitted_rows: NDArray[np.int64]
    random_predictions: NDArray[np.int64] | None
    curve: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    choice: ModelChoice | None = None
    candidates: Mapping[str, FoldFits] = field(default_factory=dict)
    fine_tuning: FineTuning | None = None


def fit_by_plan(
    problem: Problem,
    makers: Sequence[FoldModelMaker],
    *,
    log: StepLog,
    passed_over: tuple[str, ...] = (),
) -> Fitted:
    """Fits models as the folds of ``problem`` say.

    Args:
        problem: The usable images; those that a given split leaves out have the fold −2.
        makers: Of the models, the simplest first; the simplest that no other beats is kept.
        log: Follows the steps.
        passed_over: Why others were not tried.
    """
    problem = problem.take(problem.fold_index >= -1)
    is_holdout = problem.is_holdout
    title = (
        "Fitting the head on the training part"
        if is_holdout
        else "Fitting heads, every fold and penalty"
    )
    with log.step("heads", title) as step:
        chosen = choose_maker(problem, makers, passed_over=passed_over)
        maker, fits, choice = chosen.maker, chosen.fits, chosen.record
        random_predictions = None
        if not is_holdout and len(np.unique(problem.groups)) < len(problem):
            random_predictions = predict_random_folds(problem, maker, like=fits.model)
        compared = {} if choice is None else {"kinds": [one.kind for one in choice.candidates]}
        step.note(fits.detail, **fits.facts, **compared)
    curve = None
    if not is_holdout:
        with log.step("learning_curve", "Measuring the learning curve"):
            accuracy = float((fits.logits.argmax(1) == problem.labels).mean())
            curve = measure_learning_curve(problem, maker, like=fits.model, full_accuracy=accuracy)
    judged = problem.fold_index >= 0
    return Fitted(
        model=fits.model,
        rows=problem.rows[judged],
        logits=chosen.logits,
        model_logits=fits.logits,
        fold_index=problem.fold_index[judged],
        fold_models=fits.fold_models,
        fitted_rows=problem.rows[~judged] if is_holdout else problem.rows,
        random_predictions=random_predictions,
        curve=curve,
        choice=choice,
        candidates=chosen.candidates,
    )
