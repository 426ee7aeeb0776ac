"""Moving pictures by whole pixels, with a stated answer to what enters at the edge."""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError

Border = Literal["reflect", "wrap", "crop"]
"""What fills the strip that opens up.

``"reflect"`` mirrors the picture at its edge: nothing new appears and no false edge arises.
``"wrap"`` takes the strip that left at the other side, which makes an edge where the sides
differ. ``"crop"`` shows what truly lies there, and needs pictures larger than the window.
"""

Scalar = TypeVar("Scalar", bound=np.generic)


def shift(
    pixels: NDArray[Scalar],
    down_px: int,
    right_px: int,
    *,
    border: Border = "reflect",
    margin_px: int = 0,
) -> NDArray[Scalar]:
    """Returns ``pixels [..., H, W]`` with their contents moved down and to the right.

    Args:
        pixels: Pictures or maps; the last two axes are rows and columns.
        down_px: Rows to move by; negative: up.
        right_px: Columns to move by; negative: left.
        border: What enters at the edge.
        margin_px: With ``"crop"``, how much wider than the result the pictures are on each
            side; no move may be larger.

    Raises:
        UsageError: The move is larger than the picture or the margin allows.

    >>> shift(np.array([[1, 2, 3]]), 0, 1).tolist()
    [[2, 1, 2]]
    >>> shift(np.array([[1, 2, 3]]), 0, 1, border="wrap").tolist()
    [[3, 1, 2]]
    >>> wide = np.array([[0, 0, 0], [1, 2, 3], [0, 0, 0]])
    >>> shift(wide, 0, 1, border="crop", margin_px=1).tolist()
    [[1]]
    """
    height, width = pixels.shape[-2:]
    if border == "wrap":
        return np.roll(pixels, (down_px, right_px), axis=(-2, -1))
    if border == "crop":
        if max(abs(down_px), abs(right_px)) > margin_px or 2 * margin_px >= min(height, width):
            raise UsageError(
                f"Pictures of {height}×{width} px with a margin of {margin_px} px cannot be moved "
                f"by {down_px}, {right_px} px.",
                next_step="Give larger pictures, or fill the border by reflection.",
            )
        top, left = margin_px - down_px, margin_px - right_px
        rows = slice(top, top + height - 2 * margin_px)
        return pixels[..., rows, left : left + width - 2 * margin_px]
    if abs(down_px) >= height or abs(right_px) >= width:
        raise UsageError(
            f"A picture of {height}×{width} px cannot be moved by {down_px}, {right_px} px and "
            "filled by reflection.",
            next_step="Choose a smaller shift.",
        )
    return _mirrored(_mirrored(pixels, down_px, axis=-2), right_px, axis=-1)


def _mirrored(pixels: NDArray[Scalar], distance_px: int, *, axis: int) -> NDArray[Scalar]:
    """Moves along one axis; the strip that opens up mirrors the rest, its edge not doubled."""
    if distance_px == 0:
        return pixels
    size = pixels.shape[axis]
    if distance_px > 0:
        spans = (slice(distance_px, 0, -1), slice(size - distance_px))
    else:
        spans = (slice(-distance_px, None), slice(-2, distance_px - 2, -1))
    # Not by moving the axis to the front: that would copy everything across memory.
    parts = [pixels[(..., span) if axis == -1 else (..., span, slice(None))] for span in spans]
    return np.concatenate(parts, axis=axis)
