"""Small movements of the picture between steps, so that no single pixel can matter.

A picture that excites a unit only at one exact position is an adversarial pattern, not a
feature. Jitter, scale and rotation at every step leave what survives them (Mordvintsev et al.
2015; Olah et al. 2017, "transformation robustness").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
                    f"{name} is {value!r}; a number from 0 to {most:g} was expected.",
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
