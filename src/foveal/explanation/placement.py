"""Where the network's input lies in the picture of the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.images import Preprocessing
from foveal.images.resizing import plan_resize

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """For each row and column of a shown picture, the place in the network's input.

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
        cls, preprocessing: Preprocessing, *, picture_px: tuple[int, int], shown_px: tuple[int, int]
    ) -> Placement:
        """Returns the placement for a picture that is shown at another size.

        Args:
            preprocessing: How the picture became the input.
            picture_px: (height, width) of the decoded picture.
            shown_px: The size at which it is shown.
        """
        input_px = preprocessing.height_px, preprocessing.width_px
        plan = plan_resize(
            *picture_px,
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
        """Returns the placement for the same picture shown at another size."""
        axes = []
        for places, length in zip((self.rows, self.columns), shown_px, strict=True):
            # A straight line: its first step holds all of it.
            step = (places[-1] - places[0]) / max(1, len(places) - 1) or 1.0
            start = places[0] - step / 2
            axes.append(start + (np.arange(length) + 0.5) * step * len(places) / length)
        return Placement(axes[0], axes[1], self.input_px)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """[H, W], which pixels of the shown picture the network saw."""
        rows, columns = (
            (places >= -0.5) & (places <= length - 0.5)
            for places, length in zip((self.rows, self.columns), self.input_px, strict=True)
        )
        return rows[:, None] & columns[None, :]
