"""Which kind of model is kept: the simplest that no other beats, out of fold and by group.

The answers by which a kind is chosen flatter it. So the answers that are reported are chosen
anew for every fold, by the answers of the other folds alone (docs/decisions/0016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.evaluation import (
    Answered,
    Candidate,
    ChoiceMeasure,
    Interval,
    ModelChoice,
    accuracy_difference,
    compare_answers,
    fit_temperature,
)
from foveal.evaluation.inputs import cross_fitting_folds
from foveal.training.fold_model import FoldFits, FoldModel, FoldModelMaker, Split
from foveal.training.problem import Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Ways of answering the same images, compared out of fold.

    Attributes:
        measure: What they are compared by.
        kept: The simplest that no other beats, by all answers.
        by_fold: For every fold, the one that the answers of the other folds choose; of a hold-out,
            for each of two halves.
        gains: Of each over the first, paired over groups; ``None`` for the first.
        logits: [M, K], for every fold of the one that was chosen without it.
    """

    measure: ChoiceMeasure
    kept: int
    by_fold: tuple[int, ...]
    gains: tuple[Interval | None, ...]
    logits: Floats


def compare_ways(problem: Problem, answers: Sequence[Floats]) -> Comparison:
    """Returns which way of answering is kept, and what may be reported of it.

    Args:
        problem: The images. Where classes count the same in its training, ways are compared by
            the accuracy in which they do too.
        answers: Out-of-fold logits [M, K] of its judged images, the simplest way first.
    """
    judged = problem.take(problem.fold_index >= 0)
    measure: ChoiceMeasure = (
        "balanced_accuracy" if problem.decided_weights() == "balanced" else "accuracy"
    )
    predicted = [logits.argmax(1) for logits in answers]
    everyone = np.ones(len(judged), bool)

    def simplest_unbeaten(rows: NDArray[np.bool_]) -> int:
        return next(
            index
            for index in range(len(predicted))
            if not any(
                _is_above_zero(_gain(other, predicted[index], judged, rows, measure))
                for other in predicted[index + 1 :]
            )
        )

    kept = simplest_unbeaten(everyone)
    # Of a hold-out, halves by group choose for one another.
    groups = np.unique(judged.groups, return_inverse=True)[1].reshape(-1).astype(np.int64)
    parts = cross_fitting_folds(judged.fold_index, groups)
    by_fold: tuple[int, ...] = (kept,)
    if parts.max() > 0:
        by_fold = tuple(simplest_unbeaten(parts != part) for part in range(int(parts.max()) + 1))
    scales = dict.fromkeys(by_fold, 1.0)
    if len(scales) > 1 or kept not in scales:
        # Of one sharpness, so that one temperature suits the answers of all folds.
        kept_temperature = fit_temperature(answers[kept], judged.labels)
        scales = {
            index: kept_temperature / fit_temperature(answers[index], judged.labels)
            for index in scales
        }
    logits = np.empty_like(answers[kept])
    for fold, index in enumerate(by_fold):
        mine = parts == fold
        logits[mine] = answers[index][mine] * scales[index]
    gains = tuple(
        _gain(one, predicted[0], judged, everyone, measure) if index else None
        for index, one in enumerate(predicted)
    )
    return Comparison(measure, kept, by_fold, gains, logits)


def score(right: NDArray[np.bool_], labels: NDArray[np.int64], measure: ChoiceMeasure) -> float:
    """Returns the accuracy, or the mean of the recalls of the classes that are there."""
    if measure == "accuracy":
        return float(right.mean())
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def _gain(
    other: NDArray[np.int64],
    simpler: NDArray[np.int64],
    judged: Problem,
    rows: NDArray[np.bool_],
    measure: ChoiceMeasure,
) -> Interval:
    labels = judged.labels[rows]
    groups = np.unique(judged.groups[rows], return_inverse=True)[1].reshape(-1).astype(np.int64)
    if measure == "accuracy":
        return accuracy_difference(
            other[rows] == labels, simpler[rows] == labels, groups, seed=judged.seed
        )
    compared = compare_answers(
        Answered(other[rows]),
        Answered(simpler[rows]),
        labels,
        groups,
        class_names=judged.class_names,
        seed=judged.seed,
    )
    return compared.balanced_accuracy.difference


def _is_above_zero(gain: Interval) -> bool:
    return gain.low is not None and gain.low > 0


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The kind that is kept.

    Attributes:
        maker: Of its models.
        fits: Its models, on the folds of the problem.
        logits: [M, K], what may be reported: for every fold of the kind that the others choose.
        candidates: The fits of every kind on these folds, by kind; of a hold-out the kept alone.
        record: How kinds were compared; ``None`` where one alone was asked for.
    """

    maker: FoldModelMaker
    fits: FoldFits
    logits: Floats
    candidates: dict[str, FoldFits]
    record: ModelChoice | None


def choose_maker(
    problem: Problem, makers: Sequence[FoldModelMaker], *, passed_over: tuple[str, ...] = ()
) -> Chosen:
    """Fits every maker's models on the same folds and returns the kind that is kept.

    Of a hold-out, the comparison is made within the training part, so that the tested images
    have no say. With one maker there is nothing to compare.

    Args:
        problem: The images.
        makers: The simplest first.
        passed_over: Why others were not tried, for the record.
    """
    if len(makers) == 1 and not passed_over:
        fits = makers[0].fit_folds(problem)
        return Chosen(makers[0], fits, fits.logits, {makers[0].kind: fits}, None)
    compared = problem
    if problem.is_holdout and len(makers) > 1:
        compared = problem.take(problem.fold_index < 0)
        plan = assign_folds(compared.labels, compared.groups, num_folds=5, seed=problem.seed)
        compared = compared.with_folds(plan.fold_index)
    all_fits = [maker.fit_folds(compared) for maker in makers]
    found = compare_ways(compared, [fits.logits for fits in all_fits])
    maker, fits, logits = makers[found.kept], all_fits[found.kept], found.logits
    candidates = {one.kind: own for one, own in zip(makers, all_fits, strict=True)}
    by_fold = tuple(makers[index].kind for index in found.by_fold) if len(makers) > 1 else ()
    if compared is not problem:
        fits, by_fold = maker.fit_folds(problem), ()
        logits, candidates = fits.logits, {maker.kind: fits}
    record = replace(_record(compared, makers, all_fits, found, passed_over), by_fold=by_fold)
    return Chosen(maker, fits, logits, candidates, record)


def _record(
    problem: Problem,
    makers: Sequence[FoldModelMaker],
    all_fits: Sequence[FoldFits],
    found: Comparison,
    passed_over: tuple[str, ...],
) -> ModelChoice:
    has_groups = len(np.unique(problem.groups)) < len(problem)
    judged = problem.take(problem.fold_index >= 0)
    candidates = []
    for maker, fits, gain in zip(makers, all_fits, found.gains, strict=True):
        random_accuracy = None
        if has_groups and not problem.is_holdout:
            predicted = predict_random_folds(problem, maker, like=fits.model)
            random_accuracy = score(predicted == problem.labels, problem.labels, found.measure)
        right = fits.logits.argmax(1) == judged.labels
        own = score(right, judged.labels, found.measure)
        candidates.append(Candidate(maker.kind, own, random_accuracy, gain))
    return ModelChoice(
        makers[found.kept].kind, tuple(candidates), passed_over, measure=found.measure
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
