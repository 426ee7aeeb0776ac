"""From a picture in 0..1 to the numbers that a network expects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foveal.errors import UsageError

if TYPE_CHECKING:
    import torch

    from foveal.images import Preprocessing


@dataclass(frozen=True, slots=True)
class PixelScale:
    """``(x - mean) / std`` for each channel of a picture ``x`` in 0..1.

    Attributes:
        mean: One number a channel, or one for all.
        std: The same; above 0.
        origin: Where the numbers come from, as a phrase.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str = "as given"

    def __post_init__(self) -> None:
        """Takes any sequences; refuses what is no scale."""
        object.__setattr__(self, "mean", tuple(map(float, self.mean)))
        object.__setattr__(self, "std", tuple(map(float, self.std)))
        finite = all(map(math.isfinite, (*self.mean, *self.std)))
        if not self.mean or len(self.mean) != len(self.std) or not finite or min(self.std) <= 0:
            raise UsageError(
                f"got mean {self.mean} and std {self.std}, expected as many finite numbers in "
                "each, those of std above 0.",
                next_step="Give one number a channel, for values in 0..1.",
            )

    @classmethod
    def for_range(cls, low: float, high: float) -> PixelScale:
        """For a network that wants black as ``low`` and white as ``high``.

        >>> PixelScale.for_range(-1, 1).mean, PixelScale.for_range(-1, 1).std
        ((0.5,), (0.5,))
        """
        if not low < high:
            raise UsageError(f"got a range from {low} to {high}, expected the smaller first.")
        span = high - low
        return cls((-low / span,), (1 / span,), f"a range from {low:g} to {high:g}")

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> PixelScale:
        """Takes mean and standard deviation of a run's or a network's preprocessing."""
        return cls(preprocessing.mean, preprocessing.std, "the preprocessing")

    def apply(self, pictures: torch.Tensor) -> torch.Tensor:
        """Returns what the network is given for ``pictures`` [N, C, H, W] in 0..1."""
        mean = pictures.new_tensor(self.mean).reshape(1, -1, 1, 1)
        std = pictures.new_tensor(self.std).reshape(1, -1, 1, 1)
        return (pictures - mean) / std


def scale_of(model: torch.nn.Module) -> PixelScale:
    """Returns the scale that the model itself names, as timm's networks do.

    Where it names none, 0 to 1 is taken, and ``origin`` says so.
    """
    config: Any = getattr(model, "pretrained_cfg", None)
    if isinstance(config, Mapping):
        mean, std = config.get("mean", ()), config.get("std", ())
        if _is_numbers(mean) and _is_numbers(std) and len(mean) == len(std):
            return PixelScale(mean, std, "the model's pretrained_cfg")
    return PixelScale((0.0,), (1.0,), "assumed: values in 0..1")


def _is_numbers(value: Any) -> bool:
    is_sequence = isinstance(value, Sequence) and len(value) > 0
    return is_sequence and all(isinstance(item, (int, float)) for item in value)
