"""One map drawn: over its image, alone, and as the bar that gives the scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.draw.colour_map import heat_colours, overlay
from foveal.explanation.cell_centres import CellCentres
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.placement import Placement, spread

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_BAR_GREY = 150
_UNSEEN = 0.35  # how much of the paper shows through what the network did not see
_PAPER = np.array([253.0, 252.0, 250.0])


def largest(maps: Sequence[HeatMap]) -> float:
    """Returns the largest value of several maps: the end of their common scale."""
    return max((float(one.values.max()) for one in maps), default=0.0)


def fit_within(height_px: int, width_px: int, side_px: int) -> tuple[int, int]:
    """Returns the size of an image that is reduced, or enlarged, to a longest side.

    >>> fit_within(100, 200, 50)
    (25, 50)
    """
    scale = side_px / max(height_px, width_px)
    return max(1, round(height_px * scale)), max(1, round(width_px * scale))


def draw_image(pixels: Pixels, *, side_px: int) -> Pixels:
    """Returns the image [H, W, 3] at a longest side."""
    height, width = fit_within(pixels.shape[0], pixels.shape[1], side_px)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image.convert("RGB"))


def draw_overlay(
    pixels: Pixels,
    heat_map: HeatMap,
    *,
    placement: Placement,
    centres: CellCentres,
    most: float,
    side_px: int,
) -> Pixels:
    """Returns a map over its image [H, W, 3]; what the network did not see is faded.

    Args:
        pixels: The file's image.
        heat_map: The map.
        placement: Where the network's input lies in the image.
        centres: Where the map's cells lie in the input.
        most: The value at the end of the scale.
        side_px: Longest side of the result.
    """
    small = draw_image(pixels, side_px=side_px)
    placed = placement.resized((small.shape[0], small.shape[1]))
    shares = _shares(heat_map, placed, centres, most)
    drawn = overlay(small, np.where(placed.seen, shares, 0.0)).astype(np.float64)
    faded = (1 - _UNSEEN) * _PAPER + _UNSEEN * drawn
    return np.rint(np.where(placed.seen[..., None], drawn, faded)).astype(np.uint8)


def draw_alone(
    heat_map: HeatMap,
    *,
    placement: Placement,
    centres: CellCentres,
    most: float,
    shown_px: tuple[int, int],
) -> Pixels:
    """Returns the map without its image [H, W, 3], its order in the lightness too."""
    placed = placement.resized(shown_px)
    colours = heat_colours(_shares(heat_map, placed, centres, most))
    return np.where(placed.seen[..., None], colours, _PAPER.astype(np.uint8))


def draw_bar(*, width_px: int, height_px: int) -> Pixels:
    """Returns the scale [H, W, 3]: above as over a mid-grey image, below as alone."""
    values = np.tile(np.linspace(0.0, 1.0, width_px), (height_px, 1))
    grey = np.full(values.shape, _BAR_GREY, np.uint8)
    half = height_px // 2
    return np.concatenate([overlay(grey, values)[:half], heat_colours(values)[half:]])


def _shares(heat_map: HeatMap, placement: Placement, centres: CellCentres, most: float) -> Floats:
    values = spread(heat_map.values, centres, rows=placement.rows, columns=placement.columns)
    return np.clip(values / (most or 1.0), 0.0, 1.0)
