"""What can be watched while a network trains: one row an epoch, and the gap in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from foveal.draw.numbers import percent, signed_points


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch.

    Attributes:
        epoch: From 1 on; 0 is the start, the linear head on frozen features.
        train_loss: Mean loss of the steps, on changed and mixed views; NaN at the start.
        train_accuracy: On training images as they are (at most 512 of them).
        validation_loss: Cross-entropy on the inner split; ``None`` without one.
        validation_accuracy: On the inner split; ``None`` without one.
        rate: The classifier's learning rate in the last step.
        images_per_second: Of the steps alone.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    rate: float
    images_per_second: float

    @property
    def gap(self) -> float | None:
        """Accuracy on training images above that on the inner split."""
        if self.validation_accuracy is None:
            return None
        return self.train_accuracy - self.validation_accuracy


class TrainingListener(Protocol):
    """Somebody who watches a training."""

    def begin_fit(self, name: str, num_epochs: int) -> None:
        """A training begins, or goes on."""

    def advance_fit(self, done: int, total: int) -> None:
        """A step is done, of all steps of this training."""

    def end_epoch(self, row: EpochRow) -> None:
        """An epoch is over."""


TABLE_HEADER = "epoch  train loss / acc.   val. loss / acc.     gap     rate  images/s   s left"


def table_line(row: EpochRow, seconds_left: float | None = None) -> str:
    """Returns one epoch as a line under :data:`TABLE_HEADER`; at most 80 columns."""
    cells = (
        f"{row.epoch:>5}",
        f"{_number(row.train_loss):>8} {percent(row.train_accuracy, digits=1):>7}",
        f"{_number(row.validation_loss):>10} {_share(row.validation_accuracy):>7}",
        f"{_points(row.gap):>6}",
        f"{row.rate:>7.1e}" if row.epoch else " " * 7,
        f"{row.images_per_second:>8,.0f}" if row.epoch else " " * 8,
        "" if seconds_left is None else f"{seconds_left:>7,.0f}",
    )
    return "  ".join(cells).rstrip()


def describe_gap(rows: Sequence[EpochRow], *, kept_epoch: int, num_validation: int) -> str:
    """Returns what the gap between training and inner split says, in one or two sentences.

    A gap is spoken of as such only where it is more than twice the standard error of the
    inner split's accuracy.
    """
    kept = next((row for row in rows if row.epoch == kept_epoch), None)
    if kept is None or kept.gap is None or kept.validation_accuracy is None:
        return "Without an inner split nobody can say how far training and new images differ."
    share = kept.validation_accuracy
    noise = 2 * (max(share * (1 - share), 0.25 / num_validation) / num_validation) ** 0.5
    said = (
        f"{percent(kept.train_accuracy, digits=1)} of training images and "
        f"{percent(share, digits=1)} of the inner split are right"
    )
    if kept.gap <= noise:
        return f"{said}: no more of a gap than chance makes with {num_validation} images."
    last = rows[-1]
    grew = last.epoch > kept_epoch and (last.validation_loss or 0) > (kept.validation_loss or 0)
    return (
        f"{said}: a gap of {_points(kept.gap).lstrip('+')} points, so the network knows its "
        "training images better than new ones."
        + (" It grew with further epochs, which were discarded." if grew else "")
        + " More images, stronger augmentation or fewer trained stages narrow it."
    )


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else percent(value, digits=1)


def _points(gap: float | None) -> str:
    return "" if gap is None else signed_points(gap)
