"""A smooth map between the centres of a layer's cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.explanation.cell_centres import CellCentres

Floats = NDArray[np.float64]


def spread(
    values: NDArray[Any], centres: CellCentres, *, rows: NDArray[Any], columns: NDArray[Any]
) -> Floats:
    """Returns a map [h, w] at other places, smooth and never beyond the cells' own values.

    Monotone cubic interpolation (Fritsch and Carlson 1980) down the rows, then along them;
    beyond the outermost centres the nearest value holds.

    Args:
        values: [h, w].
        centres: Where the cells lie.
        rows: [H'], in pixels of the network's input.
        columns: [W'], likewise.

    Returns:
        [H', W'].
    """
    down = _along(np.asarray(values, np.float64), centres.rows, rows)
    return _along(down.T, centres.columns, columns).T


def _along(values: Floats, centres: Floats, wanted: NDArray[Any]) -> Floats:
    """Interpolates [n, m] down its first axis."""
    from scipy.interpolate import PchipInterpolator

    if len(centres) == 1:
        return np.repeat(values, len(wanted), axis=0)
    inside = np.clip(np.asarray(wanted, np.float64), centres[0], centres[-1])
    found: Floats = PchipInterpolator(centres, values, axis=0)(inside)
    return found
