"""The eight ways to turn or mirror a square: the views that prediction can average over."""

from __future__ import annotations

from typing import Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

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
