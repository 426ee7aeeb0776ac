"""Regions in an image as a reader names them, on the grid of a feature map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.explanation.cell_centres import CellCentres

# Two of the seven cells that an image of 224 px has on either axis.
_WINDOW_SHARE = 2 / 7
_RING_SHARE = 1 / 7
MIN_CELLS = 4
"""With fewer cells on an axis, a corner is a quarter of the image and tells nothing."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in an image, its sides as shares of the image's height and width."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def area_share(self) -> float:
        """Its share of the image."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def name(self) -> str:
        """Where it lies, as in "the lower right corner".

        >>> Box(0.8, 0.75, 1.0, 1.0).name, Box(0.4, 0.0, 0.7, 0.3).name
        ('lower right corner', 'left edge')
        """
        upright = _third((self.top + self.bottom) / 2, "upper", "lower")
        across = _third((self.left + self.right) / 2, "left", "right")
        if upright and across:
            return f"{upright} {across} corner"
        return f"{upright or across} edge" if upright or across else "centre"

    def pixels(self, height_px: int, width_px: int) -> tuple[slice, slice]:
        """Returns its rows and columns, whole pixels that it touches."""
        return (
            slice(math.floor(self.top * height_px), math.ceil(self.bottom * height_px)),
            slice(math.floor(self.left * width_px), math.ceil(self.right * width_px)),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of cells.

    Attributes:
        top: First row.
        left: First column.
        height: Number of rows.
        width: Number of columns.
        grid: (rows, columns) of the whole map.
    """

    top: int
    left: int
    height: int
    width: int
    grid: tuple[int, int]

    @property
    def cell_share(self) -> float:
        """Its share of the cells."""
        return self.height * self.width / (self.grid[0] * self.grid[1])

    @property
    def slices(self) -> tuple[slice, slice]:
        """Indexes the last two axes of a map."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def box(self, centres: CellCentres, image_size_px: tuple[int, int]) -> Box:
        """Returns where its cells lie in the image."""
        rows, columns = centres.edges(image_size_px)
        return Box(
            float(rows[self.top]),
            float(columns[self.left]),
            float(rows[self.top + self.height]),
            float(columns[self.left + self.width]),
        )

    def mirrored(self) -> tuple[Window, ...]:
        """Returns the windows that it falls on when the image is mirrored, itself left out."""
        rows, columns = self.grid
        tops = (self.top, rows - self.height - self.top)
        lefts = (self.left, columns - self.width - self.left)
        found = {
            (top, left): Window(top, left, self.height, self.width, self.grid)
            for top in tops
            for left in lefts
        }
        del found[self.top, self.left]
        return tuple(found.values())


def border_windows(grid: tuple[int, int]) -> Iterator[Window]:
    """Yields the windows that touch the image's border."""
    # Never a single cell: what a unit answers to reaches beyond its own.
    height, width = (max(2, round(cells * _WINDOW_SHARE)) for cells in grid)
    last_top, last_left = grid[0] - height, grid[1] - width
    for top in range(last_top + 1):
        for left in range(last_left + 1):
            if top in (0, last_top) or left in (0, last_left):
                yield Window(top, left, height, width, grid)


def outer_ring(grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Returns which cells [h, w] lie outside the central region.

    >>> outer_ring((4, 4)).astype(int).tolist()
    [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """
    outside = np.ones(grid, np.bool_)
    rows, columns = (max(1, round(cells * _RING_SHARE)) for cells in grid)
    outside[rows : grid[0] - rows, columns : grid[1] - columns] = False
    return outside


def _third(share: float, low: str, high: str) -> str:
    if share < 1 / 3:
        return low
    return high if share > 2 / 3 else ""
