"""What can be chosen about fine-tuning, with its defaults."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from foveal.errors import UsageError

OptimizerName = Literal["adamw", "sgd"]
Precision = Literal["auto", "fp32", "bf16"]

DEFAULT_BUDGET = "5m"
DEFAULT_HEAD_RATE = 1e-3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the part after the cut is trained.

    Rates grow from layer to layer by one factor, from ``first_rate`` at the first layer of the
    whole network to ``head_rate`` at its classifier (Howard & Ruder 2018, arXiv 1801.06146).
    Dropout, mixing and smoothing are off by default: the start is a head that was fitted without
    them, and in a few epochs they disturb it more than they help (docs/fine-tuning.md).

    Attributes:
        num_epochs: At most; early stopping may end it before.
        batch_size: Images a step.
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov momentum 0.9.
        first_rate: Learning rate of the network's first layer.
        head_rate: Learning rate of its classifier.
        weight_decay: On weights only: biases and normalisation have none.
        warmup_share: Share of all steps in which the rates rise from 0; then they follow a
            cosine down to 0.
        dropout: Share of the features that is left out before the classifier.
        mixup: Parameter of the beta distribution by which activations at the cut and their
            targets are mixed in pairs (Zhang et al. 2018, arXiv 1710.09412); 0 for none.
        cutmix: The same of rectangles of images, which are pasted into others and their targets
            mixed by area (Yun et al. 2019, arXiv 1905.04899); 0 for none.
        smoothing: Share of every target that is spread over all classes.
        average_decay: Of the running average of the weights that is kept; 0 for none.
        max_norm: Longest gradient; longer ones are shortened.
        inner_share: Share of the training images held out, by group, for early stopping and
            for the interpolation with the start; 0 trains for all epochs on everything.
        judged_views: Views, from the image itself on, over which logits are averaged when the
            inner split is judged; more than 1 where answers are averaged over the same.
        patience: Epochs without a lower loss on that share after which training stops. Rates follow
            a cosine, so the loss may first rise and falls in the last epochs.
        train_batchnorm: Whether batch norms learn statistics of their own; else they keep the
            pretrained ones.
        starts_at_random: Whether the classifier does, because nothing that is fitted to features
            of a random network outlives their first change.
        num_seeds: Trainings from one start, whose weights are averaged (Wortsman et al. 2022,
            arXiv 2203.05482).
        precision: ``"auto"`` takes bf16 where a few steps of it are faster.
        seed: Fixes order, views, mixing and dropout.
    """

    num_epochs: int = 12
    batch_size: int = 32
    optimizer: OptimizerName = "adamw"
    first_rate: float = DEFAULT_HEAD_RATE / 100
    head_rate: float = DEFAULT_HEAD_RATE
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    dropout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    smoothing: float = 0.0
    average_decay: float = 0.98
    max_norm: float = 5.0
    inner_share: float = 0.15
    judged_views: int = 1
    patience: int = 8
    train_batchnorm: bool = False
    starts_at_random: bool = False
    num_seeds: int = 1
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high, expected in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(
                    f"{name} is {value!r}; {expected} was expected.",
                    next_step=f"Leave {name} out to use the default.",
                )
        if self.first_rate > self.head_rate:
            raise UsageError(
                f"The first layer's rate {self.first_rate:g} is above the classifier's "
                f"{self.head_rate:g}; expected rates that grow with depth.",
                next_step="Give a smaller first_rate or a larger head_rate.",
            )
        if self.optimizer not in ("adamw", "sgd") or self.precision not in ("auto", "fp32", "bf16"):
            raise UsageError(
                f"There is no optimizer {self.optimizer!r} with precision {self.precision!r}.",
                next_step="Use adamw or sgd, and auto, fp32 or bf16.",
            )


def from_scratch(recipe: Recipe) -> Recipe:
    """Returns the recipe for a network that starts at random.

    All layers learn at the classifier's rate, batch norms learn statistics of their own, nothing
    is left out before the classifier, and weights decay more than those of a good start may.
    Precision is full: in bf16 a small network gave NaN after one step from such a start.
    """
    return replace(
        recipe,
        first_rate=recipe.head_rate,
        weight_decay=0.05 if recipe.optimizer == "adamw" else 5e-4,
        batch_size=32,
        dropout=0.0,
        mixup=0.0,
        smoothing=0.0,
        patience=20,
        train_batchnorm=True,
        precision="fp32",
        starts_at_random=True,
    )


_MOST = 1e9
_RANGES: tuple[tuple[str, float, float, str], ...] = (
    ("num_epochs", 1, _MOST, "a whole number from 1 on"),
    ("batch_size", 1, _MOST, "a whole number from 1 on"),
    ("first_rate", 0, _MOST, "a number from 0 on"),
    ("head_rate", 1e-12, _MOST, "a number above 0"),
    ("weight_decay", 0, _MOST, "a number from 0 on"),
    ("warmup_share", 0, 0.9, "a share from 0 to 0.9"),
    ("dropout", 0, 0.95, "a share from 0 to 0.95"),
    ("mixup", 0, 10, "a number from 0 to 10"),
    ("cutmix", 0, 10, "a number from 0 to 10"),
    ("smoothing", 0, 0.9, "a share from 0 to 0.9"),
    ("average_decay", 0, 0.99999, "a number from 0 to below 1"),
    ("max_norm", 1e-9, _MOST, "a number above 0"),
    ("inner_share", 0, 0.5, "a share from 0 to 0.5"),
    ("judged_views", 1, _MOST, "a whole number from 1 on"),
    ("patience", 1, _MOST, "a whole number from 1 on"),
    ("num_seeds", 1, 20, "a whole number from 1 to 20"),
    ("seed", 0, 2**62, "a whole number from 0 on"),
)


def read_budget(text: str) -> float:
    """Returns seconds from ``"90s"``, ``"5m"``, ``"1.5h"`` or a bare number of seconds.

    Raises:
        UsageError: It is none of these, or nothing.

    >>> read_budget("5m"), read_budget("90"), read_budget("1.5h")
    (300.0, 90.0, 5400.0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text.lower())
    seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
    if not 0 < seconds < 1e8:
        raise UsageError(
            f"The budget is {text!r}; a time such as 90s, 5m or 1h was expected.",
            next_step="Give --budget 5m for five minutes.",
        )
    return seconds
