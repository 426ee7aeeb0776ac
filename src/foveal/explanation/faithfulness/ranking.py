"""The order in which a map ranks the pixels of its image, and the orders of moved copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.explanation.covering import blurred, enlarged
from foveal.explanation.heat_map import HeatMap

# What is covered first: a fifth of the image.
MARKED_SHARE = 0.2
# Two fifths of an image drawn at random share a fifth. A copy whose marked fifth lies on more
# of the map's own is no other area.
_MAX_OVERLAP = 0.25
_TRIES_PER_COPY = 16
# How far a high area makes its neighbours come first, as a share of the image's side.
_NEAR_SHARE = 0.25
_NEAR_GRID = 32
_TIE_BREAK = 1e-9

_A = TypeVar("_A", bound=np.generic)
Order = NDArray[np.float32]
Mask = NDArray[np.bool_]


def order_of(heat_map: HeatMap) -> Order | None:
    """Returns when each pixel's turn is, ``[H, W]`` from 0 (first) up to 1, or None.

    The map is enlarged to the image. What it cut off as negative comes last, in the order
    of ``signed`` where there is one; among pixels of one value, those near high ones come
    first. None where the map is the same everywhere and so ranks nothing.
    """
    source = heat_map.values if heat_map.signed is None else heat_map.signed
    if not np.isfinite(source).all() or source.max() == source.min():
        return None
    small = torch.from_numpy(np.ascontiguousarray(source)).float()
    values = enlarged(small, heat_map.image_size_px).double()
    near = enlarged(_surroundings(small), heat_map.image_size_px).double()
    # One key, so that one sort does: what is near decides only where values are equal.
    key = values / values.abs().max() + _TIE_BREAK * near / near.abs().max().clamp_min(1e-30)
    ranks = np.argsort(-key.numpy(), axis=None)
    order = np.empty(ranks.size, dtype=np.float32)
    order[ranks] = (np.arange(ranks.size) + 0.5) / ranks.size
    return order.reshape(heat_map.image_size_px)


def _surroundings(values: torch.Tensor) -> torch.Tensor:
    """Returns how high each area's wider neighbourhood is, coarsely."""
    size = (min(_NEAR_GRID, values.shape[0]), min(_NEAR_GRID, values.shape[1]))
    coarse = torch.nn.functional.adaptive_avg_pool2d(values[None, None], size)
    return blurred(coarse, _NEAR_SHARE * min(size))[0, 0]


def marked(order: Order, share: float) -> Mask:
    """Returns which pixels are among the first ``share`` of the image."""
    result: Mask = order < share
    return result


def moved_copies(order: Order, count: int, random: np.random.Generator) -> Iterator[Order]:
    """Yields copies of the map put elsewhere: what a map would say that knew nothing.

    Each is mirrored or not along either axis and shifted around the edges, so that its
    values, its smoothness and its shape are the map's own and only the area is chance: a
    harder rival than scattered pixels, which hardly disturb a network. Copies whose marked
    fifth falls on the map's own by more than chance are drawn again; where there are too few
    others, those that overlap least are taken.
    """
    own = marked(order, MARKED_SHARE)
    area = max(int(own.sum()), 1)
    # Only the moves are kept: of a large image, so many copies would not fit into memory.
    drawn: list[tuple[float, _Move]] = []
    for _ in range(count * _TRIES_PER_COPY):
        steps = (int(random.choice((1, -1))), int(random.choice((1, -1))))
        shift = (int(random.integers(order.shape[0])), int(random.integers(order.shape[1])))
        move = _Move(steps, shift)
        overlap = float((move.of(own) & own).sum()) / area
        drawn.append((max(overlap, _MAX_OVERLAP), move))
        if sum(amount == _MAX_OVERLAP for amount, _ in drawn) == count:
            break
    drawn.sort(key=lambda item: item[0])
    for _, move in drawn[:count]:
        yield move.of(order)


@dataclass(frozen=True, slots=True)
class _Move:
    """Mirrored where a step is -1, then shifted around the edges."""

    steps: tuple[int, int]
    shift: tuple[int, int]

    def of(self, array: NDArray[_A]) -> NDArray[_A]:
        return np.roll(array[:: self.steps[0], :: self.steps[1]], self.shift, axis=(0, 1))
