"""How a maximising picture is sought: the settings of the ascent, and of the picture's movements.

A picture that excites a unit only at one exact position is an adversarial pattern, not a
feature. Jitter, scale and rotation at every step leave what survives them (Mordvintsev et al.
2015; Olah et al. 2017, "transformation robustness").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from foveal.errors import UsageError


@dataclass(frozen=True, slots=True)
class Robustness:
    """How far a picture is moved at most.

    Attributes:
        jitter: Shift in either direction, as a share of the side.
        scale: Enlargement or reduction, as a share of the size.
        rotate_degrees: Turn to either side.
    """

    jitter: float = 1 / 16
    scale: float = 0.08
    rotate_degrees: float = 8.0

    def __post_init__(self) -> None:
        """Refuses values that would move the picture out of sight."""
        for name, most in (("jitter", 1.0), ("scale", 0.5), ("rotate_degrees", 180.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise UsageError(
                    f"got {name}={value!r}, expected a number from 0 to {most:g}.",
                    next_step=f"Give Robustness another {name}, or use Robustness.none().",
                )

    @classmethod
    def none(cls) -> Robustness:
        """No movement at all: what the unit itself wants, adversarial patterns included."""
        return cls(jitter=0.0, scale=0.0, rotate_degrees=0.0)

    def move(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """Returns ``pictures`` [N, C, H, W], all moved in one way drawn from ``random``.

        One movement for all, so that a picture does not depend on its companions. The shift
        wraps around, as the waves do that the picture is made of; turning and scaling see it
        mirrored at its edges.
        """
        height, width = pictures.shape[-2:]
        draws = torch.rand(4, generator=random, dtype=torch.float64) * 2 - 1
        down, right = (
            round(float(draws[0]) * self.jitter * height),
            round(float(draws[1]) * self.jitter * width),
        )
        moved = torch.roll(pictures, (down, right), dims=(-2, -1)) if down or right else pictures
        if not (self.scale or self.rotate_degrees):
            return moved
        zoom = math.exp(float(draws[2]) * math.log1p(self.scale))
        angle = math.radians(float(draws[3]) * self.rotate_degrees)
        cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
        # Coordinates run from -1 to 1 along either side, so a turn needs their proportions.
        turn = [[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]]
        folded = moved.reshape(1, -1, height, width)
        grid = torch.nn.functional.affine_grid(
            torch.tensor([turn], dtype=pictures.dtype, device=pictures.device),
            list(folded.shape),
            align_corners=False,
        )
        turned = torch.nn.functional.grid_sample(
            folded, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
        return turned.reshape(pictures.shape)


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


CLASS_ASCENT = Ascent(colour_decay=0.5)
"""For the pictures of classes: a marker's colour matters more there than a natural look."""


def _bad(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"got {name}={value!r}, expected {expected}.",
        next_step=f"Give Ascent another {name}.",
    )
