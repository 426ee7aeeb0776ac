"""What the network answers about the pictures that the tests of a map need, in one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explain.asking import Floats, answers, probabilities
from foveal.explain.covering import Fill, cover_of
from foveal.explain.faithfulness.deletion import (
    NUM_COPIES,
    Effort,
    Response,
    num_pictures,
    pictures,
    response_of,
)
from foveal.explain.faithfulness.ranking import Order, moved_copies, order_of
from foveal.explain.heat_map import HeatMap

# A blur hides texture and shape and adds none of its own: see docs/explaining.md.
_FILL: Fill = "blur"
_BATCH_SIZE = 32
# How far the sum of a row's exponentials may be from one where they are probabilities.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the network says about one map's picture.

    Attributes:
        logit: Of the map's class now; None where the network gives probabilities only.
        is_answer: Whether the class is the likeliest.
        response: How its probability answers to covering; None where the map ranks nothing.
    """

    logit: float | None
    is_answer: bool
    response: Response | None


def inquire(
    model: nn.Module,
    images: Tensor,
    heat_maps: Sequence[HeatMap],
    *,
    effort: Effort,
    seed: int,
    dtype: torch.dtype,
) -> tuple[Inquiry, ...]:
    """Returns what the network says about each map.

    Args:
        model: In evaluation mode.
        images: [N, C, H, W] in the model's own type: one a map.
        heat_maps: N maps.
        effort: How much to try.
        seed: Of where the copies of a map go; the same for every map, so that a map is
            judged alike alone and among others.
        dtype: The coarsest that the model computes in.

    Raises:
        UsageError: A map explains a class that the network does not have.
    """
    orders = [None if item.is_blank else order_of(item) for item in heat_maps]
    counts = [1 if order is None else num_pictures(effort) for order in orders]
    logits = answers(
        model,
        _all_pictures(images, orders, effort, seed),
        batch_size=_BATCH_SIZE,
        total=sum(counts),
    )
    starts = np.cumsum([0, *counts])
    return tuple(
        _read(logits[start:end], heat_map, effort, dtype)
        for start, end, heat_map in zip(starts[:-1], starts[1:], heat_maps, strict=True)
    )


def _all_pictures(
    images: Tensor, orders: Sequence[Order | None], effort: Effort, seed: int
) -> Iterator[Tensor]:
    """Yields the pictures of one map after another; copies are made when their turn comes."""
    for image, order in zip(images, orders, strict=True):
        if order is None:
            yield image
            continue
        copies = moved_copies(order, NUM_COPIES[effort], np.random.default_rng(seed))
        yield from pictures(image, cover_of(image[None], _FILL)[0], (order, *copies), effort)


def _read(logits: Floats, heat_map: HeatMap, effort: Effort, dtype: torch.dtype) -> Inquiry:
    num_classes, index = logits.shape[1], heat_map.class_index
    if not 0 <= index < num_classes:
        raise UsageError(
            f"The map explains class {index}; the network has {num_classes} outputs.",
            next_step="Pass the network that the map was made with.",
        )
    mine = logits[:, index]
    if num_classes == 1:
        # A single output is a logit, unless the map knows it as the sigmoid of its own.
        own = float(probabilities(np.array([[heat_map.logit]]))[0, 0])
        is_probability = abs(own - mine[0]) < _SUM_TOLERANCE and bool(
            ((logits >= 0) & (logits <= 1)).all()
        )
        probability = mine if is_probability else probabilities(logits)[:, 0]
        is_answer = bool(probability[0] >= 0.5)
    else:
        # Probabilities came as their logarithms, which are logits short of a constant.
        is_probability = bool(np.abs(np.exp(logits).sum(1) - 1).max() < _SUM_TOLERANCE)
        probability = probabilities(logits)[:, index]
        is_answer = bool(logits[0].argmax() == index)
    response = response_of(probability, effort, dtype) if len(logits) > 1 else None
    return Inquiry(None if is_probability else float(mine[0]), is_answer, response)
