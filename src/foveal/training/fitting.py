"""Fitting by a plan: out-of-fold logits and the head that is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.training.config import TrainConfig
from foveal.training.cross_validation import choose_penalty, cross_validate, score_random_folds
from foveal.training.heads import LinearHead, fit_head
from foveal.training.learning_curve import measure_learning_curve
from foveal.training.protocol import Plan
from foveal.training.steps import Step, StepLog


@dataclass(frozen=True, slots=True)
class Fitted:
    """What fitting by a plan gives.

    Attributes:
        head: The head that is kept: on all images, or on the training part of a hold-out.
        losses: Log loss by strength, from which the head's strength was chosen.
        rows: [M], the usable images that were judged.
        logits: [M, K], each from a head that had not seen the image's group.
        fold_index: [M].
        fold_heads: By fold, the head that gave its logits.
        fitted_rows: [N'], the usable images that the kept head has seen.
        random_predictions: [M], out of folds that ignore groups; ``None`` without groups.
        curve: Training sizes [S] and accuracies [S, R]; ``None`` for a hold-out.
    """

    head: LinearHead
    losses: dict[float, float]
    rows: NDArray[np.int64]
    logits: NDArray[np.float64]
    fold_index: NDArray[np.int64]
    fold_heads: tuple[LinearHead, ...]
    fitted_rows: NDArray[np.int64]
    random_predictions: NDArray[np.int64] | None
    curve: tuple[NDArray[np.int64], NDArray[np.float64]] | None


def fit_by_plan(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    plan: Plan,
    *,
    groups: NDArray[np.int64],
    num_classes: int,
    config: TrainConfig,
    log: StepLog,
) -> Fitted:
    """Fits heads as ``plan`` says.

    Args:
        features: [N, D], float32.
        labels: [N].
        plan: Who is judged by whom.
        groups: [N], duplicates fused.
        num_classes: K.
        config: Class weights and seed.
        log: Follows the steps.
    """
    fit = _fit_holdout if plan.is_holdout else _fit_folds
    return fit(features, labels, plan, groups, num_classes, config, log)


def _fit_folds(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    plan: Plan,
    groups: NDArray[np.int64],
    num_classes: int,
    config: TrainConfig,
    log: StepLog,
) -> Fitted:
    num_folds = plan.described.num_folds
    with log.step("heads", "Fitting heads, every fold and strength") as step:
        crossed = cross_validate(
            features,
            labels,
            plan.fold_index,
            groups=groups,
            num_classes=num_classes,
            class_weights=config.class_weights,
            seed=config.seed,
        )
        random_predictions = None
        if len(np.unique(groups)) < len(groups):
            random_predictions = score_random_folds(
                features,
                labels,
                penalty=crossed.penalty,
                num_folds=num_folds,
                num_classes=num_classes,
                class_weights=config.class_weights,
                seed=config.seed,
            )
        head = fit_head(
            features,
            labels,
            penalty=crossed.penalty,
            num_classes=num_classes,
            class_weights=config.class_weights,
        )
        _note_strength(step, crossed.penalty, crossed.losses)
    with log.step("learning_curve", "Measuring the learning curve"):
        curve = measure_learning_curve(
            features,
            labels,
            plan.fold_index,
            groups=groups,
            full_accuracy=float((crossed.logits.argmax(1) == labels).mean()),
            penalty=crossed.penalty,
            num_classes=num_classes,
            class_weights=config.class_weights,
            seed=config.seed,
        )
    rows = np.arange(len(labels))
    return Fitted(
        head=head,
        losses=crossed.losses,
        rows=rows,
        logits=crossed.logits,
        fold_index=plan.fold_index,
        fold_heads=crossed.fold_heads,
        fitted_rows=rows,
        random_predictions=random_predictions,
        curve=curve,
    )


def _fit_holdout(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    plan: Plan,
    groups: NDArray[np.int64],
    num_classes: int,
    config: TrainConfig,
    log: StepLog,
) -> Fitted:
    train, rows = np.flatnonzero(plan.fold_index == -1), np.flatnonzero(plan.fold_index == 0)
    with log.step("heads", "Fitting the head on the training part") as step:
        penalty, losses = choose_penalty(
            features[train],
            labels[train],
            groups=groups[train],
            num_classes=num_classes,
            class_weights=config.class_weights,
            seed=config.seed,
        )
        head = fit_head(
            features[train],
            labels[train],
            penalty=penalty,
            num_classes=num_classes,
            class_weights=config.class_weights,
        )
        _note_strength(step, penalty, losses)
    return Fitted(
        head=head,
        losses=losses,
        rows=rows,
        logits=head.logits(features[rows]),
        fold_index=np.zeros(len(rows), np.int64),
        fold_heads=(head,),
        fitted_rows=train,
        random_predictions=None,
        curve=None,
    )


def _note_strength(step: Step, penalty: float, losses: dict[float, float]) -> None:
    step.note(
        f"L2 strength {penalty:.2g}",
        penalty=penalty,
        losses={f"{strength:.6g}": round(loss, 6) for strength, loss in losses.items()},
    )
