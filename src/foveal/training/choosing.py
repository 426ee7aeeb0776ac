"""Which kind of model is kept: the simplest that no other beats, out of fold and by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.evaluation import Candidate, ModelChoice, accuracy_difference
from foveal.training.fold_model import FoldFits, FoldModel, FoldModelMaker, Split
from foveal.training.problem import Problem


def choose_maker(
    problem: Problem, makers: Sequence[FoldModelMaker], *, passed_over: tuple[str, ...] = ()
) -> tuple[FoldModelMaker, FoldFits | None, ModelChoice | None]:
    """Returns the maker whose models are kept, its fits where they serve, and the comparison.

    Every maker fits the same folds. Of a hold-out, the comparison is made within the training
    part, so that the tested images have no say; its fits do not serve then. With one maker
    there is nothing to compare.

    Args:
        problem: The images.
        makers: The simplest first.
        passed_over: Why others were not tried, for the record.
    """
    if len(makers) == 1:
        choice = None
        if passed_over:
            fits = makers[0].fit_folds(problem)
            return makers[0], fits, _record(problem, makers, [fits], 0, passed_over)
        return makers[0], None, choice
    compared = problem
    if problem.is_holdout:
        compared = problem.take(problem.fold_index < 0)
        plan = assign_folds(compared.labels, compared.groups, num_folds=5, seed=problem.seed)
        compared = compared.with_folds(plan.fold_index)
    all_fits = [maker.fit_folds(compared) for maker in makers]
    right = [fits.logits.argmax(1) == compared.labels for fits in all_fits]
    kept = next(
        index
        for index in range(len(makers))
        if not any(_beats(other, right[index], compared) for other in right[index + 1 :])
    )
    choice = _record(compared, makers, all_fits, kept, passed_over)
    return makers[kept], None if problem.is_holdout else all_fits[kept], choice


def _beats(other: NDArray[np.bool_], simpler: NDArray[np.bool_], problem: Problem) -> bool:
    low = accuracy_difference(other, simpler, _numbered(problem), seed=problem.seed).low
    return low is not None and low > 0


def _numbered(problem: Problem) -> NDArray[np.int64]:
    return np.unique(problem.groups, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _record(
    problem: Problem,
    makers: Sequence[FoldModelMaker],
    all_fits: Sequence[FoldFits],
    kept: int,
    passed_over: tuple[str, ...],
) -> ModelChoice:
    has_groups = len(np.unique(problem.groups)) < len(problem)
    judged = problem.take(problem.fold_index >= 0)
    right = [fits.logits.argmax(1) == judged.labels for fits in all_fits]
    candidates = []
    for index, (maker, fits) in enumerate(zip(makers, all_fits, strict=True)):
        random_accuracy = None
        if has_groups and not problem.is_holdout:
            predicted = predict_random_folds(problem, maker, like=fits.model)
            random_accuracy = float((predicted == problem.labels).mean())
        candidates.append(
            Candidate(
                kind=maker.kind,
                accuracy=float(right[index].mean()),
                random_accuracy=random_accuracy,
                gain=accuracy_difference(
                    right[index], right[0], _numbered(judged), seed=problem.seed
                )
                if index
                else None,
            )
        )
    return ModelChoice(makers[kept].kind, tuple(candidates), passed_over)


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
