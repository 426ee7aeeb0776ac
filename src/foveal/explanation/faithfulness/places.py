"""Where in the picture a map points, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveal.explanation.faithfulness.ranking import MARKED_SHARE
from foveal.explanation.heat_map import HeatMap

Box = tuple[float, float, float, float]

# The middle is half as high and half as wide as the picture; the border an eighth deep.
_MIDDLE: Box = (0.25, 0.75, 0.25, 0.75)
_INSIDE: Box = (0.125, 0.875, 0.125, 0.875)
# (top, bottom, left, right) as shares of the picture, and the share of the map's sum from
# which on the place is named: well above what an even map has there.
_PLACES: tuple[tuple[str, Box, float], ...] = (
    ("the middle", _MIDDLE, 0.65),
    ("the upper left quarter", (0.0, 0.5, 0.0, 0.5), 0.7),
    ("the upper right quarter", (0.0, 0.5, 0.5, 1.0), 0.7),
    ("the lower left quarter", (0.5, 1.0, 0.0, 0.5), 0.7),
    ("the lower right quarter", (0.5, 1.0, 0.5, 1.0), 0.7),
    ("the upper half", (0.0, 0.5, 0.0, 1.0), 0.8),
    ("the lower half", (0.5, 1.0, 0.0, 1.0), 0.8),
    ("the left half", (0.0, 1.0, 0.0, 0.5), 0.8),
    ("the right half", (0.0, 1.0, 0.5, 1.0), 0.8),
)
_BORDER_SHARE = 0.75


def describe_place(heat_map: HeatMap) -> str:
    """Returns where most of a map's highest fifth lies, as a noun phrase.

    >>> values = np.zeros((4, 4), np.float32)
    >>> values[0, :2] = 1
    >>> describe_place(HeatMap("cam", "", "", 0, 0.0, values, None, None, (32, 32)))
    'the upper left quarter'
    """
    values = heat_map.values.astype(np.float64)
    if heat_map.is_blank or not np.isfinite(values).all():
        return "no place"
    values[values < np.quantile(values, 1 - MARKED_SHARE)] = 0.0
    for name, box, least in _PLACES:
        if _share_within(values, box) >= least:
            return name
    if 1 - _share_within(values, _INSIDE) >= _BORDER_SHARE:
        return "the border"
    return "places spread over the picture"


def _share_within(values: NDArray[np.float64], box: Box) -> float:
    """Returns the share of the map's sum inside a box, cells cut by its edge in part."""
    top, bottom, left, right = box
    rows = _covered(values.shape[0], top, bottom)
    columns = _covered(values.shape[1], left, right)
    return float(rows @ values @ columns / values.sum())


def _covered(size: int, start: float, end: float) -> NDArray[np.float64]:
    """Returns how much of each of ``size`` equal cells lies between two shares of the whole."""
    edges = np.arange(size + 1) / size
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.asarray(np.clip(inside * size, 0.0, 1.0))
