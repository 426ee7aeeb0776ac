"""Whether fine-tuning is adopted: by the same comparison as between kinds of frozen heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import signed_points
from foveal.evaluation import EpochPoint, FineTuning, Interval, TrainingCurve
from foveal.evaluation.fine_tuning import FineTuningVerdict
from foveal.text import count_noun
from foveal.training.choosing import compare_ways
from foveal.training.fine_tuned import FineTunedModel
from foveal.training.fitting import Fitted
from foveal.training.fold_model import FoldFits
from foveal.training.makers import MAKERS
from foveal.training.problem import Problem
from foveal.training.stacked import stack
from foveal.training.tuning_plan import TuningData


def adopt(
    problem: Problem,
    frozen: Fitted,
    tuned: FoldFits,
    data: TuningData,
    *,
    is_always_kept: bool,
    cost_seconds: float,
    plan: str,
) -> tuple[Fitted, FineTuning]:
    """Returns what is kept, and what is said of it.

    The frozen classifier, the fine-tuned one and the two stacked are compared like kinds of frozen
    heads: the simplest is kept that none beats, and what is reported is of answers that had no
    say in it.

    Args:
        problem: The images in their folds.
        frozen: Fitted on frozen features, on the same folds.
        tuned: Fine-tuned in the same folds.
        data: The network.
        is_always_kept: Whether the fine-tuned one is kept whatever comes out.
        cost_seconds: What fine-tuning took.
        plan: What was trained, as a phrase.
    """
    model = tuned.model
    assert isinstance(model, FineTunedModel)
    ways: dict[str, FoldFits] = {"fine-tuned": tuned}
    if not is_always_kept and model.is_trained:
        partner = _partner(frozen)
        if partner is not None:
            ways["stacked"] = stack(
                problem, [partner, tuned], network=data.backbone.network, size=data.size
            )
    frozen_kind = frozen.model.describe().kind
    kinds = [frozen_kind, *ways]
    found = compare_ways(problem, [frozen.logits, *(fits.logits for fits in ways.values())])
    # What is kept beats the frozen classifier itself, and not only what beats it.
    better = [index for index, one in enumerate(found.gains) if one is not None and _beats(one)]
    index = found.kept if found.kept in better or not better else better[0]
    kept = kinds[1] if is_always_kept else kinds[index]
    shown = kept if kept in ways else "fine-tuned"
    gain, sentence, is_better = compare(
        ways[shown].logits,
        frozen.logits,
        problem,
        cost_seconds=cost_seconds,
        seed=problem.seed,
        is_always_kept=is_always_kept,
        what="fine-tuning" if shown == "fine-tuned" else "stacking fine-tuned and frozen",
    )
    verdict: FineTuningVerdict = "better" if is_better else "not shown"
    if gain.high is not None and gain.high < 0:
        verdict = "worse"
    by_fold = () if is_always_kept else tuple(kinds[index] for index in found.by_fold)
    logits = tuned.logits if is_always_kept else found.logits
    if not model.is_trained:
        # On all images nothing was better than the linear start: there is nothing to adopt.
        verdict, by_fold, logits = "start kept", (), frozen.logits
        kept = "linear" if is_always_kept else frozen_kind
        sentence = (
            "Trained on all images, no epoch had a lower loss on the inner split than the linear "
            "head on frozen features that it began with, so the result is that head and is not "
            f"fine-tuned. It took {cost_seconds:,.0f} s"
        )
        if is_always_kept:
            logits = tuned.logits
    told = FineTuning(
        verdict=verdict,
        kept=kept,
        is_adopted=kept in ways,
        sentence=f"{sentence}.",
        plan=plan,
        gain=gain,
        num_groups=len(np.unique(problem.groups[problem.fold_index >= 0])),
        seconds=round(cost_seconds, 1),
        by_fold=by_fold,
        curves=_curves(tuned),
        notes=(*tuned.facts["notes"], tuned.facts["gap"]),
    )
    if kept == frozen_kind and not is_always_kept:
        return replace(frozen, logits=logits), told
    fits = ways[shown]
    return (
        replace(
            frozen,
            model=fits.model,
            logits=logits,
            model_logits=fits.logits,
            fold_models=fits.fold_models,
            # It names the frozen kind that was kept, which this one replaces.
            choice=None,
            # Neither was measured for this kind: each point would be a training of its own.
            random_predictions=None,
            curve=None,
        ),
        told,
    )


def _beats(gain: Interval) -> bool:
    return gain.low is not None and gain.low > 0


def _partner(frozen: Fitted) -> FoldFits | None:
    """Returns the richest frozen kind that reads the image as it stands."""
    for kind in reversed(MAKERS):
        fits = frozen.candidates.get(kind)
        if fits is not None and fits.model.reading.views == ("identity",):
            return fits
    return None


def _curves(tuned: FoldFits) -> tuple[TrainingCurve, ...]:
    models = list(dict.fromkeys((*tuned.fold_models, tuned.model)))
    curves = []
    for number, model in enumerate(models):
        assert isinstance(model, FineTunedModel)
        is_last = number == len(models) - 1 and len(models) > 1
        curves.append(
            TrainingCurve(
                name="all images" if is_last else f"fold {number + 1}",
                kept_epoch=model.fitted.kept_epochs[0],
                share=model.fitted.share,
                epochs=tuple(
                    EpochPoint(
                        row.epoch,
                        None if row.epoch == 0 else row.train_loss,
                        row.train_accuracy,
                        row.validation_loss,
                        row.validation_accuracy,
                    )
                    for row in model.fitted.epochs[0]
                ),
            )
        )
    return tuple(curves)


def compare(
    tuned: NDArray[np.float64],
    frozen: NDArray[np.float64],
    problem: Problem,
    *,
    cost_seconds: float,
    seed: int,
    is_always_kept: bool = False,
    what: str = "fine-tuning",
) -> tuple[Interval, str, bool]:
    """Returns the gain in accuracy with a paired interval over groups, a sentence, a verdict.

    Args:
        tuned: Out-of-fold logits [M, K] of the judged images.
        frozen: The same of the frozen classifier.
        problem: The images.
        cost_seconds: What fine-tuning took.
        seed: Of the bootstrap.
        is_always_kept: Whether the fine-tuned one is kept whatever comes out; the sentence says so.
        what: What is compared with frozen features.
    """
    judged = problem.fold_index >= 0
    _, groups = np.unique(problem.groups[judged], return_inverse=True)
    gain = compare_ways(problem, [frozen, tuned]).gains[1]
    assert gain is not None
    is_better = _beats(gain)
    points = signed_points(gain.estimate) + ("" if gain.estimate is None else " points")
    if gain.low is not None and gain.high is not None:
        points += (
            f" (95% interval {signed_points(gain.low)} to {signed_points(gain.high)}, paired over "
            f"{count_noun(int(groups.max()) + 1, 'group')})"
        )
    kept = "the frozen classifier is kept"
    if is_always_kept:
        kept = "the fine-tuned classifier is kept all the same, because that was asked for"
    verdict = (
        f"{what} is better than frozen features and is kept"
        if is_better
        else f"{what} is not shown to be better, and {kept}"
    )
    if gain.high is not None and gain.high < 0:
        verdict = f"{what} is worse than frozen features, and {kept}"
    return gain, f"{points}: {verdict}. It took {cost_seconds:,.0f} s", is_better
