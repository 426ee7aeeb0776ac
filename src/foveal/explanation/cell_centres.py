"""Where the cells of a layer lie in the image, as values; measured by ``measured_centres``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CellCentres:
    """Centres of a layer's cells, in pixels of the network's input; pixel 0 is at 0.0.

    Attributes:
        rows: [h], rising.
        columns: [w], rising.
        origin: Whether they were measured on the network, follow from its receptive fields,
            or are equal shares of the image.
    """

    rows: Floats
    columns: Floats
    origin: Literal["measured", "receptive field", "equal shares"]

    def edges(self, image_size_px: tuple[int, int]) -> tuple[Floats, Floats]:
        """Returns where the cells meet, as shares of height [h + 1] and width [w + 1].

        Halfway between two centres; the outermost cells reach to the image's border.
        """
        first, second = (
            np.concatenate(([0.0], (centres[1:] + centres[:-1] + 1) / 2 / length, [1.0]))
            for centres, length in zip((self.rows, self.columns), image_size_px, strict=True)
        )
        return np.clip(first, 0.0, 1.0), np.clip(second, 0.0, 1.0)


def even_centres(grid: tuple[int, int], image_size_px: tuple[int, int]) -> CellCentres:
    """Returns the centres of equal shares of the image.

    >>> even_centres((2, 2), (8, 8)).rows
    array([1.5, 5.5])
    """
    rows, columns = (
        (np.arange(cells) + 0.5) * length / cells - 0.5
        for cells, length in zip(grid, image_size_px, strict=True)
    )
    return CellCentres(rows, columns, "equal shares")
