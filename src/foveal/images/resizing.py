"""Where each output pixel comes from, and the antialiased resampling that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.images.pixels import Picture, height_and_width

Fit = Literal["squash", "crop", "pad"]
"""How another aspect ratio is met: distorted, cut at the centre, or filled up."""

Interpolation = Literal["bilinear", "bicubic", "lanczos"]

RESAMPLING: Final[dict[Interpolation, Image.Resampling]] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# A panorama that covers a square would be resized to thousands of pixels of which a few
# hundred are kept. Beyond this ratio only the kept part is computed.
_MAX_WASTE: Final = 4


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

    Deep pictures are resampled in floating point, so their levels are kept; what bicubic
    or Lanczos overshoots is clipped to [0, 1], as 8-bit arithmetic clips to [0, 255].
    """
    method = RESAMPLING[interpolation]
    if isinstance(picture, Image.Image):
        return _resample_plane(picture, plan, method)
    channels = [picture] if picture.ndim == 2 else [picture[..., c] for c in range(3)]
    planes = [
        _resample_plane(Image.fromarray(np.ascontiguousarray(channel)), plan, method)
        for channel in channels
    ]
    pixels = planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)
    return np.asarray(np.clip(pixels, 0.0, 1.0))


def _resample_plane(image: Image.Image, plan: ResizePlan, method: Image.Resampling) -> NDArray[Any]:
    whole_height, whole_width = plan.whole_px
    if whole_height * whole_width <= _MAX_WASTE * plan.height_px * plan.width_px:
        whole = image
        if image.size != (whole_width, whole_height):
            whole = image.resize((whole_width, whole_height), method)
        pixels: NDArray[Any] = np.asarray(whole)
        rows = slice(plan.upper_px, plan.upper_px + plan.height_px)
        return pixels[rows, plan.left_px : plan.left_px + plan.width_px]
    # The same sampling grid; only the rounding between Pillow's two passes may differ.
    # Multiplied before it is divided, so that a whole side comes out as a whole side.
    height_px, width_px = height_and_width(image)
    box = (
        plan.left_px * width_px / whole_width,
        plan.upper_px * height_px / whole_height,
        (plan.left_px + plan.width_px) * width_px / whole_width,
        (plan.upper_px + plan.height_px) * height_px / whole_height,
    )
    return np.asarray(image.resize((plan.width_px, plan.height_px), method, box))
