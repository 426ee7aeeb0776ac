"""What the network answers about the pictures that the tests of a map need, in one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation.covering import Fill, cover_of
from foveal.explanation.faithfulness.deletion import (
    NUM_COPIES,
    Effort,
    Response,
    num_pictures,
    pictures,
    response_of,
)
from foveal.explanation.faithfulness.ranking import Order, moved_copies, order_of
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.logits import Answers, ClassKind, Labels, answers, batch_size_for

# A blur hides texture and shape and adds none of its own: see docs/explaining.md.
_FILL: Fill = "blur"
_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the network says about one map's picture.

    Attributes:
        logit: Of the map's class now; None where the network gives probabilities only.
        kind: Whether the classes exclude one another.
        num_classes: K.
        is_answer: Whether the class is the likeliest; of independent ones, as likely as not.
        response: How its probability answers to covering; None where the map ranks nothing.
    """

    logit: float | None
    kind: ClassKind
    num_classes: int
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
    labels: Labels = "auto",
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
        labels: Whether several classes exclude one another, where the network does not say.

    Raises:
        UsageError: A map explains a class that the network does not have.
    """
    orders = [None if item.is_blank else order_of(item) for item in heat_maps]
    counts = [1 if order is None else num_pictures(effort) for order in orders]
    found = answers(
        model,
        _all_pictures(images, orders, effort, seed),
        batch_size=batch_size_for(images, _BATCH_SIZE),
        total=sum(counts),
        labels=labels,
    )
    starts = np.cumsum([0, *counts])
    return tuple(
        _read(found, slice(start, end), heat_map, effort, dtype)
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
        rankings = chain((order,), copies)
        yield from pictures(image, cover_of(image[None], _FILL)[0], rankings, effort)


def _read(
    found: Answers, rows: slice, heat_map: HeatMap, effort: Effort, dtype: torch.dtype
) -> Inquiry:
    logits, chances = found.values[rows], found.probabilities[rows]
    num_classes, index = logits.shape[1], heat_map.class_index
    if not 0 <= index < num_classes:
        raise UsageError(
            f"The map explains class {index}; the network has {num_classes} outputs.",
            next_step="Pass the network that the map was made with.",
        )
    if found.kind == "independent":
        is_answer = bool(chances[0, index] >= 0.5)
    else:
        is_answer = bool(logits[0].argmax() == index)
    response = response_of(chances[:, index], effort, dtype) if len(logits) > 1 else None
    logit = None if found.is_shifted else float(logits[0, index])
    return Inquiry(logit, found.kind, num_classes, is_answer, response)
