"""Deletion and insertion: do the marked areas matter more to the answer than others?

Deletion and insertion after Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for
Explanation of Black-box Models" (BMVC 2018, section 4.3): cover the image in the order in
which the map ranks its areas, or uncover it, and take the area under the probability of the
class. An area means nothing by itself, so it is compared with copies of the map moved
elsewhere (:func:`~foveal.explanation.faithfulness.ranking.moved_copies`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from foveal.draw.numbers import percent
from foveal.errors import UsageError
from foveal.explanation.covering import Fill, cover_of, covered, soft_edged
from foveal.explanation.faithfulness.ranking import (
    MARKED_SHARE,
    Order,
    marked,
    moved_copies,
    order_of,
)
from foveal.explanation.heat_map import Check, CheckName, HeatMap
from foveal.explanation.requests import Effort, batch_size_for
from foveal.layers import ClassKind, Labels, StreamedLogits, stream_logits
from foveal.layers.logits import Floats

# Finely where the map says most. The untouched and the wholly covered image come besides.
_SHARES = (0.05, 0.1, MARKED_SHARE, 0.35, 0.5, 0.65, 0.8)
NUM_COPIES: dict[Effort, int] = {"quick": 3, "full": 19}
# The worst rank that passes: first of 4 (by chance once in four), fourth of 20 (once in five).
_PASSING_RANK: dict[Effort, int] = {"quick": 1, "full": 4}
# Probabilities nearer than this share are the same: single and half precision.
_TIE, _HALF_TIE = 1e-5, 1e-2

# A smaller change of a probability means nothing to a reader.
_NOTICEABLE = 0.005
_LEAST_NOTICEABLE = 0.001  # as finely as a probability is told


@dataclass(frozen=True, slots=True)
class Response:
    """How the probability of one class answers to covering.

    Attributes:
        effort: How much was tried.
        untouched: For the image as it is.
        marked: With the marked fifth covered.
        elsewhere: With the marked fifth of each moved copy covered, [R].
        deletion: Area under the curve for the map first, then for the copies, [1 + R];
            None at quick effort.
        insertion: The same for uncovering.
        tie: Relative differences up to this are rounding.
    """

    effort: Effort
    untouched: float
    marked: float
    elsewhere: Floats
    deletion: Floats | None
    insertion: Floats | None
    tie: float


def num_passes(effort: Effort) -> int:
    """Returns how many forward passes one map costs.

    >>> num_passes("quick"), num_passes("full")
    (5, 282)
    """
    rankings = 1 + NUM_COPIES[effort]
    return 1 + rankings if effort == "quick" else 2 + 2 * rankings * len(_SHARES)


def covered_images(
    image: Tensor, cover: Tensor, orders: Iterable[Order], effort: Effort
) -> Iterator[Tensor]:
    """Yields the images to ask about, ``num_passes(effort)`` of [C, H, W].

    Args:
        image: The image.
        cover: What stands in for covered pixels.
        orders: The map's order, then those of its copies.
        effort: How much to try.
    """
    yield image
    if effort == "quick":
        for order in orders:
            yield covered(image, cover, _mask(order, MARKED_SHARE, image))
        return
    yield cover
    for order in orders:
        for share in _SHARES:
            mask = _mask(order, share, image)
            yield covered(image, cover, mask)
            yield covered(cover, image, mask)


def _mask(order: Order, share: float, image: Tensor) -> Tensor:
    return soft_edged(torch.from_numpy(marked(order, share)).to(image.device))


def response_of(probability: Floats, effort: Effort, dtype: torch.dtype) -> Response:
    """Returns what the probabilities of :func:`covered_images` say, in their order, float64 [P]."""
    tie = _TIE if torch.finfo(dtype).bits >= 32 else _HALF_TIE
    untouched = float(probability[0])
    if effort == "quick":
        return Response(effort, untouched, float(probability[1]), probability[2:], None, None, tie)
    all_covered = float(probability[1])
    # [1 + R, shares, (deletion, insertion)]
    curves = probability[2:].reshape(-1, len(_SHARES), 2)
    fifth = curves[:, _SHARES.index(MARKED_SHARE), 0]
    return Response(
        effort,
        untouched,
        float(fifth[0]),
        fifth[1:],
        _areas(untouched, curves[:, :, 0], all_covered),
        _areas(all_covered, curves[:, :, 1], untouched),
        tie,
    )


def _areas(first: float, curves: Floats, last: float) -> Floats:
    ends = np.ones((len(curves), 1))
    whole = np.concatenate((first * ends, curves, last * ends), axis=1)
    return np.asarray(np.trapezoid(whole, (0.0, *_SHARES, 1.0), axis=1))


def is_noticeable(before: float, after: float) -> bool:
    """Whether two probabilities differ for a reader: by half a point, less near 0 and 1.

    >>> is_noticeable(0.93, 0.928), is_noticeable(0.001, 0.003), is_noticeable(0.9994, 0.9987)
    (False, True, False)
    """
    nearest_end = min(max(before, after), 1 - min(before, after))
    needed = max(_LEAST_NOTICEABLE, _NOTICEABLE * min(1.0, 10 * nearest_end))
    return abs(before - after) >= needed


def check_deletion(response: Response) -> Check:
    """Judges whether covering what the map ranks first lowers the probability most.

    Passed where at most three of 19 moved copies do as well (at quick effort: none of 3).
    """
    if response.deletion is None:
        own, copies = response.marked, response.elsewhere
        what = "With the marked fifth covered the probability is {own}"
        than = "with as much covered elsewhere {mean} on average"
    else:
        own, copies = float(response.deletion[0]), response.deletion[1:]
        what = "Covered in the map's order, the probability averages {own}"
        than = "in the order of moved copies {mean}"
    return _compare("deletion", own, copies, response, f"{what}; {than}")


def check_insertion(response: Response) -> Check:
    """Judges whether uncovering what the map ranks first raises the probability most."""
    if response.insertion is None:
        reason = "Uncovering step by step is part of a full test only."
        return Check("insertion", "unavailable", None, None, reason)
    own, copies = float(response.insertion[0]), response.insertion[1:]
    facts = (
        "Uncovered in the map's order, the probability averages {own}; in the order of "
        "moved copies {mean}"
    )
    return _compare("insertion", own, copies, response, facts)


def _compare(name: CheckName, own: float, copies: Floats, response: Response, facts: str) -> Check:
    mean = float(copies.mean())
    slack = response.tie * max(own, mean)
    text = facts.format(own=percent(own, digits=1), mean=percent(mean, digits=1))
    if not any(is_noticeable(own, float(copy)) for copy in copies):
        reason = f"{text}: much the same wherever, so no area can be told from another."
        return Check(name, "unavailable", None, None, reason)
    as_good = copies <= own + slack if name == "deletion" else copies >= own - slack
    rank, among = 1 + int(as_good.sum()), 1 + len(copies)
    passed = rank <= _PASSING_RANK[response.effort]
    sentence = f"{text}. The map ranks {rank} of {among}{'' if passed else ': chance would do it'}."
    return Check(name, "passed" if passed else "failed", own, mean, sentence)


# A blur hides texture and shape and adds none of its own: see docs/explaining.md.
_FILL: Fill = "blur"
_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """What the network says about one map's image.

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


def measure_maps(
    model: nn.Module,
    images: Tensor,
    heat_maps: Sequence[HeatMap],
    *,
    effort: Effort,
    seed: int,
    dtype: torch.dtype,
    labels: Labels = "auto",
) -> tuple[Measured, ...]:
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
    counts = [1 if order is None else num_passes(effort) for order in orders]
    found = stream_logits(
        model,
        _all_images(images, orders, effort, seed),
        batch_size=batch_size_for(images, _BATCH_SIZE),
        total=sum(counts),
        labels=labels,
    )
    starts = np.cumsum([0, *counts])
    return tuple(
        _read(found, slice(start, end), heat_map, effort, dtype)
        for start, end, heat_map in zip(starts[:-1], starts[1:], heat_maps, strict=True)
    )


def _all_images(
    images: Tensor, orders: Sequence[Order | None], effort: Effort, seed: int
) -> Iterator[Tensor]:
    """Yields the images of one map after another; copies are made when their turn comes."""
    for image, order in zip(images, orders, strict=True):
        if order is None:
            yield image
            continue
        copies = moved_copies(order, NUM_COPIES[effort], np.random.default_rng(seed))
        rankings = chain((order,), copies)
        yield from covered_images(image, cover_of(image[None], _FILL)[0], rankings, effort)


def _read(
    found: StreamedLogits, rows: slice, heat_map: HeatMap, effort: Effort, dtype: torch.dtype
) -> Measured:
    logits, probabilities = found.values[rows], found.probabilities[rows]
    num_classes, index = logits.shape[1], heat_map.class_index
    if not 0 <= index < num_classes:
        raise UsageError(
            f"The map explains class {index}; the network has {num_classes} outputs.",
            next_step="Pass the network that the map was made with.",
        )
    if found.kind == "independent":
        is_answer = bool(probabilities[0, index] >= 0.5)
    else:
        is_answer = bool(logits[0].argmax() == index)
    response = response_of(probabilities[:, index], effort, dtype) if len(logits) > 1 else None
    logit = None if found.is_shifted else float(logits[0, index])
    return Measured(logit, found.kind, num_classes, is_answer, response)
