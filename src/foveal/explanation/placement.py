"""Where the network's input lies in the image of the file, and a map spread over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.explanation.cell_centres import CellCentres
from foveal.images import Preprocessing
from foveal.images.resizing import plan_resize

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """For each row and column of a shown image, the position in the network's input.

    Attributes:
        rows: [H], in pixels of the input; outside ``[-0.5, height - 0.5]`` the network did
            not see it.
        columns: [W], likewise.
        input_px: (height, width) of the input.
    """

    rows: Floats
    columns: Floats
    input_px: tuple[int, int]

    @classmethod
    def of(
        cls, preprocessing: Preprocessing, *, image_px: tuple[int, int], shown_px: tuple[int, int]
    ) -> Placement:
        """Returns the placement for an image that is shown at another size.

        Args:
            preprocessing: How the image became the input.
            image_px: (height, width) of the decoded image.
            shown_px: The size at which it is shown.
        """
        input_px = preprocessing.height_px, preprocessing.width_px
        plan = plan_resize(
            *image_px,
            to_px=input_px,
            fit=preprocessing.fit,
            crop_fraction=preprocessing.crop_fraction,
        )
        kept = plan.height_px, plan.width_px
        first = plan.upper_px, plan.left_px
        axes = []
        for axis in (0, 1):
            in_whole = (np.arange(shown_px[axis]) + 0.5) * plan.whole_px[axis] / shown_px[axis]
            padding = (input_px[axis] - kept[axis]) // 2
            axes.append(in_whole - 0.5 - first[axis] + padding)
        return cls(axes[0], axes[1], input_px)

    def resized(self, shown_px: tuple[int, int]) -> Placement:
        """Returns the placement for the same image shown at another size."""
        axes = []
        for positions, length in zip((self.rows, self.columns), shown_px, strict=True):
            # A straight line: its first step holds all of it.
            step = (positions[-1] - positions[0]) / max(1, len(positions) - 1) or 1.0
            start = positions[0] - step / 2
            axes.append(start + (np.arange(length) + 0.5) * step * len(positions) / length)
        return Placement(axes[0], axes[1], self.input_px)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """[H, W], which pixels of the shown image the network saw."""
        rows, columns = (
            (positions >= -0.5) & (positions <= length - 0.5)
            for positions, length in zip((self.rows, self.columns), self.input_px, strict=True)
        )
        return rows[:, None] & columns[None, :]


def spread(
    values: NDArray[Any], centres: CellCentres, *, rows: NDArray[Any], columns: NDArray[Any]
) -> Floats:
    """Returns a map [h, w] at other positions, smooth and never beyond the cells' own values.

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
