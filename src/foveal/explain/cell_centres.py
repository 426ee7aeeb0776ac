"""Where the cells of a layer lie in the picture.

A cell's value belongs to the middle of its receptive field, which is not the middle of an
equal share of the picture: with symmetric padding the first cell of ResNet-18's last map is
centred on pixel 0, not 15.5. Stretching the map over the picture would move every finding by
half a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from foveal.graph import Graph

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CellCentres:
    """Centres of a layer's cells, in pixels of the network's input; pixel 0 is at 0.0.

    Attributes:
        rows: [h], rising.
        columns: [w], rising.
        is_exact: Whether they follow from receptive fields; else the cells are taken as equal
            shares of the picture.
    """

    rows: Floats
    columns: Floats
    is_exact: bool

    def edges(self, image_size_px: tuple[int, int]) -> tuple[Floats, Floats]:
        """Returns where the cells meet, as shares of height [h + 1] and width [w + 1].

        Halfway between two centres; the outermost cells reach to the picture's border.
        """
        first, second = (
            np.concatenate(([0.0], (centres[1:] + centres[:-1] + 1) / 2 / length, [1.0]))
            for centres, length in zip((self.rows, self.columns), image_size_px, strict=True)
        )
        return np.clip(first, 0.0, 1.0), np.clip(second, 0.0, 1.0)


def even_centres(grid: tuple[int, int], image_size_px: tuple[int, int]) -> CellCentres:
    """Returns the centres of equal shares of the picture.

    >>> even_centres((2, 2), (8, 8)).rows
    array([1.5, 5.5])
    """
    rows, columns = (
        (np.arange(cells) + 0.5) * length / cells - 0.5
        for cells, length in zip(grid, image_size_px, strict=True)
    )
    return CellCentres(rows, columns, is_exact=False)


def find_centres(
    graph: Graph | None, layer: str, grid: tuple[int, int], image_size_px: tuple[int, int]
) -> CellCentres:
    """Returns where the cells of ``layer`` lie.

    Args:
        graph: The traced network; None where there is none.
        layer: Name of an operation in it.
        grid: (h, w) of the map.
        image_size_px: (H, W) of the network's input.
    """
    from foveal.graph.receptive_field import receptive_fields

    even = even_centres(grid, image_size_px)
    op = None if graph is None else next((o for o in graph.ops if o.name == layer), None)
    if graph is None or op is None or tuple(op.output_shape[-2:]) != grid:
        return even
    field = receptive_fields(graph)[op.index]
    if len(field.fields) != 2:
        return even
    axes = []
    for axis, cells in zip(field.fields, grid, strict=True):
        if axis is None:
            return even
        seen = [axis.positions(unit) for unit in range(cells)]
        centres = np.array([one.first + (one.span - 1) / 2 for one in seen], np.float64)
        if (np.diff(centres) <= 0).any():
            return even
        axes.append(centres)
    return CellCentres(axes[0], axes[1], is_exact=True)
