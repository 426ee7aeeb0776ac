"""Whether a classifier relies on what runs along the border: a frame, a margin, a caption.

Such a thing leaves no peak in a map. So it is taken away: the outermost part of each image is
replaced by the mirror image of what lies inside it, which leaves neither frame nor edge. A
classifier of what the images show hardly notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.schema import Unbounded
from foveal.shortcuts.marks import (
    MAX_PER_TRIAL,
    is_told_apart,
)
from foveal.shortcuts.separation import ClassSeparation, Floats, HeldOutMaps
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.shortcuts.network import HeldOutNetwork, Images

MARGIN_SHARE = 0.07
"""Of height and width, on each side."""

_MIN_CHANGED_SHARE = 0.5
_MIN_RIGHT = 4
_MIN_LOSS_SHARE = 0.4
_MIN_T = 4.0


@dataclass(frozen=True, slots=True)
class BorderReliance:
    """What taking the border away does to images of one class.

    Attributes:
        class_index: Which class.
        num_images: Images of the class that were tried.
        num_right: How many of them were answered rightly before.
        num_changed: How many right answers became wrong ones.
        loss: By how much the class's lead over the runner-up fell, in logits, on average.
        loss_t: Its t over the images.
    """

    class_index: int
    num_images: int
    num_right: int
    num_changed: int
    loss: float
    loss_t: Unbounded


def without_border(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns ``images`` [n, 3, H, W] with the border replaced by the inside, mirrored."""
    rows, columns = (max(1, round(MARGIN_SHARE * length)) for length in images.shape[2:])
    inside = images[:, :, rows:-rows, columns:-columns]
    return np.pad(inside, ((0, 0), (0, 0), (rows, rows), (columns, columns)), mode="reflect")


def judge_border(before: Floats, after: Floats, class_index: int) -> BorderReliance:
    """Returns what it did, from logits [n, K] of images of one class with and without border."""
    lead, left = (
        logits[:, class_index] - np.delete(logits, class_index, axis=1).max(1)
        for logits in (before, after)
    )
    loss = lead - left
    error = float(loss.std(ddof=1)) / len(loss) ** 0.5 if len(loss) > 1 else float("inf")
    return BorderReliance(
        class_index=class_index,
        num_images=len(loss),
        num_right=int((lead > 0).sum()),
        num_changed=int(((lead > 0) & (left <= 0)).sum()),
        loss=float(loss.mean()),
        loss_t=float(loss.mean()) / error if error > 0 else float("inf"),
    )


def is_relied_on(found: BorderReliance, *, gap: float) -> bool:
    """Whether half of the answers, and a good part of what separates the class, go with it."""
    return (
        found.num_right >= _MIN_RIGHT
        and found.num_changed >= _MIN_CHANGED_SHARE * found.num_right
        and found.loss_t >= _MIN_T
        and found.loss >= _MIN_LOSS_SHARE * gap
    )


def describe_border(found: BorderReliance, *, class_name: str) -> str:
    """Returns the finding as two sentences."""
    return (
        f"Replacing the outermost {100 * MARGIN_SHARE:.0f}% on each side by the mirrored inside "
        f"changes {found.num_changed} of {found.num_right} right answers for "
        f"“{printable(class_name)}”. Look for a frame, a margin or a caption: the figures hold "
        "only as long as it comes with the class."
    )


_MAX_BORDERS_TRIED = 5


def find_border_reliance(
    maps: HeldOutMaps,
    separations: tuple[ClassSeparation, ...],
    network: HeldOutNetwork,
    images: Images,
    positions: NDArray[np.int64],
) -> tuple[BorderReliance, ...]:
    """Returns the classes whose answers go when the images lose their border."""
    found = []
    told = [one for one in separations if is_told_apart(maps, one)]
    told.sort(key=lambda one: -one.gap)
    for separation in told[:_MAX_BORDERS_TRIED]:
        index = separation.class_index
        rows = np.flatnonzero(maps.labels == index)[:MAX_PER_TRIAL]
        after = network.logits(without_border(images[rows]), positions[rows])
        reliance = judge_border(maps.logits[rows], after, index)
        if is_relied_on(reliance, gap=separation.gap):
            found.append(reliance)
    return tuple(found)
