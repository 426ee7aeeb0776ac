"""What fine-tuning gained over frozen features, as a part of the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.evaluation.intervals import Interval


@dataclass(frozen=True, slots=True)
class EpochPoint:
    """One epoch of a training; 0 is its start. Losses are mean cross-entropies, in nats.

    Attributes:
        epoch: From 0.
        train_loss: On changed and mixed views; ``None`` at the start.
        train_accuracy: On training images as they are.
        validation_loss: On the inner split; ``None`` without one.
        validation_accuracy: On the inner split; ``None`` without one.
    """

    epoch: int
    train_loss: float | None
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """How one training went.

    Attributes:
        name: Such as ``"fold 1"`` or ``"all images"``.
        kept_epoch: Whose weights were kept.
        share: How far from the start (0) to those weights (1) the result lies.
        epochs: From the start on.
    """

    name: str
    kept_epoch: int
    share: float
    epochs: tuple[EpochPoint, ...]


FineTuningVerdict = Literal["better", "not shown", "worse", "start kept", "not tried"]


@dataclass(frozen=True, slots=True)
class FineTuning:
    """What fine-tuning was tried, what it gained over frozen features, and what it cost.

    Attributes:
        verdict: ``"start kept"`` where nothing that was trained on all images was better than
            the linear start on the inner split: the result is then not fine-tuned.
        kept: The kind of classifier that is kept in the end.
        is_adopted: Whether that is a fine-tuned one.
        sentence: Verdict, gain and cost.
        plan: Where the network was cut, views, epochs; empty where nothing was tried.
        gain: Over the frozen classifier by the measure of the choice, paired over groups.
        num_groups: That the interval of the gain is over.
        seconds: Of planning, bank and training.
        by_fold: For every fold, the kind that the other folds choose; the figures of the run are
            of these kinds' answers.
        curves: Of each fold's training, and of the one on all images.
        notes: What else a reader should know.
    """

    verdict: FineTuningVerdict
    kept: str
    is_adopted: bool
    sentence: str
    plan: str = ""
    gain: Interval | None = None
    num_groups: int = 0
    seconds: float = 0.0
    by_fold: tuple[str, ...] = ()
    curves: tuple[TrainingCurve, ...] = ()
    notes: tuple[str, ...] = ()
