"""Where each output pixel comes from, and the antialiased resampling that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.images.pixels import Picture, as_array
from foveal.images.resampling import Interpolation, resample_levels

Fit = Literal["squash", "crop", "pad"]
"""How another aspect ratio is met: distorted, cut at the centre, or filled up."""

_DEEP_WHITE: Final = 65_535


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """An image resized as a whole, and the part of it that is kept.

    Attributes:
        whole_px: (height, width) of the resized whole.
        upper_px: First row that is kept.
        left_px: First column that is kept.
        height_px: Number of rows kept.
        width_px: Number of columns kept.
    """

    whole_px: tuple[int, int]
    upper_px: int
    left_px: int
    height_px: int
    width_px: int


def plan_resize(
    height_px: int,
    width_px: int,
    *,
    to_px: tuple[int, int],
    fit: Fit,
    crop_fraction: float = 1.0,
) -> ResizePlan:
    """Plans the way from an image of one size to an output of another.

    The image is resized to ``to_px / crop_fraction`` (stretched, covering or contained),
    and of that at most the central ``to_px`` is kept, as timm's evaluation does. With
    ``"pad"`` less than ``to_px`` may come out.

    Args:
        height_px: Height of the image.
        width_px: Width of the image.
        to_px: (height, width) of the output.
        fit: ``"squash"`` distorts, ``"crop"`` covers the output, ``"pad"`` is contained.
        crop_fraction: Share of each side that the centre crop keeps.

    >>> plan_resize(100, 300, to_px=(50, 50), fit="crop")
    ResizePlan(whole_px=(50, 150), upper_px=0, left_px=50, height_px=50, width_px=50)
    """
    whole_height, whole_width = (int(side / crop_fraction) for side in to_px)
    if fit != "squash":
        # Exact integer comparison: is the image, relative to the output, the taller one?
        is_taller = height_px * whole_width > width_px * whole_height
        if is_taller == (fit == "crop"):
            whole_height = max(1, height_px * whole_width // width_px)
        else:
            whole_width = max(1, width_px * whole_height // height_px)
    rows, columns = min(whole_height, to_px[0]), min(whole_width, to_px[1])
    return ResizePlan(
        whole_px=(whole_height, whole_width),
        upper_px=round((whole_height - rows) / 2),
        left_px=round((whole_width - columns) / 2),
        height_px=rows,
        width_px=columns,
    )


def resample(picture: Picture, plan: ResizePlan, interpolation: Interpolation) -> NDArray[Any]:
    """Carries out a plan: ``uint8`` or ``float32`` [h, w] or [h, w, 3], as the picture was.

    Deep pictures are resampled in 65,536 levels, by the arithmetic of the 256; what bicubic or
    Lanczos overshoots is clipped to [0, 1], as 8-bit arithmetic clips to [0, 255].
    """
    levels = as_array(picture)
    is_deep = levels.dtype != np.uint8
    if is_deep:
        levels = np.rint(levels * np.float32(_DEEP_WHITE)).astype(np.uint16)
    kept = resample_levels(
        levels,
        interpolation,
        whole_px=plan.whole_px,
        rows=range(plan.upper_px, plan.upper_px + plan.height_px),
        columns=range(plan.left_px, plan.left_px + plan.width_px),
    )
    return kept / np.float32(_DEEP_WHITE) if is_deep else kept
