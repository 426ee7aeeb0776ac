"""How a maximising picture is sought."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from foveal.errors import UsageError
from foveal.visualisation.robustness import Robustness

# Below this a picture has no spectrum to speak of.
_SMALLEST_PX = 4


@dataclass(frozen=True, slots=True)
class Ascent:
    """Settings of gradient ascent on a picture.

    Attributes:
        size_px: Height and width of the picture; one number for a square.
        num_steps: How often the gradient is followed.
        step_size: Of Adam, where 1 is the strength of a wave in a photograph: with 0.1, ten
            steps in one direction make a wave as strong.
        decay: Waves are scaled by frequency to the power of minus this. Photographs have 1;
            more holds back the fine structure that networks answer to beyond measure.
        colour_decay: Axes of colour are scaled by their natural spread to this power. With 1
            colours are those of photographs, and a pure green comes late; with 0.5 they are
            more vivid, and a coloured marker shows sooner; with 0 all axes are alike.
        contrast: Standard deviation of the first picture, 1 being a photograph's.
        robustness: How the picture is moved between steps.
        seed: Of the first picture and of all movements.
    """

    size_px: int | tuple[int, int] = 128
    num_steps: int = 64
    step_size: float = 0.1
    decay: float = 1.5
    colour_decay: float = 1.0
    contrast: float = 0.1
    robustness: Robustness = field(default_factory=Robustness)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses values that could only fail, or mislead, later on."""
        sides = (self.height_px, self.width_px)
        if not all(isinstance(side, int) and side >= _SMALLEST_PX for side in sides):
            raise _bad("size_px", self.size_px, f"whole numbers of at least {_SMALLEST_PX}")
        if not isinstance(self.num_steps, int) or self.num_steps < 1:
            raise _bad("num_steps", self.num_steps, "a positive whole number")
        for name in ("step_size", "contrast"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise _bad(name, value, "a finite number above 0")
        for name in ("decay", "colour_decay"):
            if not 0 <= getattr(self, name) <= 4:
                raise _bad(name, getattr(self, name), "a number from 0 to 4")

    @property
    def height_px(self) -> int:
        """H of the picture."""
        return self.size_px if isinstance(self.size_px, int) else self.size_px[0]

    @property
    def width_px(self) -> int:
        """W of the picture."""
        return self.size_px if isinstance(self.size_px, int) else self.size_px[1]


def _bad(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"{name} is {value!r}; {expected} was expected.",
        next_step=f"Give Ascent another {name}.",
    )
