"""An image turned, mirrored or moved.

There are eight ways to turn or mirror a square: the views that prediction can average over.
A shift moves by whole pixels, with a stated answer to what enters at the edge.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError

View = Literal["identity", "hflip", "vflip", "rot180", "rot90", "rot270", "transpose", "transverse"]
"""How the image is turned before the network sees it; rotations are anticlockwise."""

VIEWS: Final[tuple[View, ...]] = get_args(View)
"""All views, the identity first."""

QUARTER_TURNS: Final[frozenset[View]] = frozenset({"rot90", "rot270", "transpose", "transverse"})
"""The views that exchange height and width."""

_BACK: Final[dict[View, View]] = {"rot90": "rot270", "rot270": "rot90"}

Scalar = TypeVar("Scalar", bound=np.generic)


def turn(pixels: NDArray[Scalar], view: View) -> NDArray[Scalar]:
    """Returns ``pixels`` [H, W] or [H, W, C] in another view, without copying.

    >>> turn(np.array([[1, 2], [3, 4]]), "rot90").tolist()
    [[2, 4], [1, 3]]
    """
    match view:
        case "identity":
            return pixels
        case "hflip":
            return pixels[:, ::-1]
        case "vflip":
            return pixels[::-1]
        case "rot180":
            return pixels[::-1, ::-1]
        case "rot90":
            return pixels.swapaxes(0, 1)[::-1]
        case "rot270":
            return pixels.swapaxes(0, 1)[:, ::-1]
        case "transpose":
            return pixels.swapaxes(0, 1)
        case "transverse":
            return pixels[::-1, ::-1].swapaxes(0, 1)


def turn_back(channels: NDArray[Scalar], view: View) -> NDArray[Scalar]:
    """Returns [C, H, W] in ``view`` as it stands in its file.

    >>> turn_back(np.array([[[2, 4], [1, 3]]]), "rot90").tolist()
    [[[1, 2], [3, 4]]]
    """
    turned = turn(channels.transpose(1, 2, 0), _BACK.get(view, view))
    return np.ascontiguousarray(turned.transpose(2, 0, 1))


Border = Literal["reflect", "wrap", "crop"]
"""What fills the strip that opens up.

``"reflect"`` mirrors the image at its edge: nothing new appears and no false edge arises.
``"wrap"`` takes the strip that left at the other side, which makes an edge where the sides
differ. ``"crop"`` shows what truly lies there, and needs images larger than the window.
"""


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
        pixels: Images or maps; the last two axes are rows and columns.
        down_px: Rows to move by; negative: up.
        right_px: Columns to move by; negative: left.
        border: What enters at the edge.
        margin_px: With ``"crop"``, how much wider than the result the images are on each
            side; no move may be larger.

    Raises:
        UsageError: The move is larger than the image or the margin allows.

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
                f"Images of {height}×{width} px with a margin of {margin_px} px cannot be moved "
                f"by {down_px}, {right_px} px.",
                next_step="Give larger images, or fill the border by reflection.",
            )
        top, left = margin_px - down_px, margin_px - right_px
        rows = slice(top, top + height - 2 * margin_px)
        return pixels[..., rows, left : left + width - 2 * margin_px]
    if abs(down_px) >= height or abs(right_px) >= width:
        raise UsageError(
            f"An image of {height}×{width} px cannot be moved by {down_px}, {right_px} px and "
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
