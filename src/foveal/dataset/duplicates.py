"""Finds the same picture stored twice: byte for byte, pixel for pixel, or nearly.

Near duplicates pass three sieves, each finer and dearer than the one before: the perceptual
hashes differ in few bits; the coarse pictures correlate, after what all images share has
been taken away; and hardly anything remains when one picture is laid over the other
(``foveal.dataset.alignment``).

What remains is measured against how far the two images stray from the mean image of the data
set, not against their whole contrast. Parts on a belt and solar cells share their layout, so
that two different ones look alike to every common similarity; they are the same picture only
if they agree in what sets them apart from the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.alignment import Floats, remainders, standardise
from foveal.dataset.fingerprints import SIGNATURE_PX, hash_signatures
from foveal.dataset.manifest import ImageRecord, Manifest
from foveal.errors import UsageError

BLANK_STD = 0.01
"""Grey levels (black 0, white 1) that spread less than this show no picture."""

# Chosen on the 2,624 solar cells of ELPV, which look alike as few things do, and on random
# pictures. Copies that are recompressed, resized, brightened by 15% or cropped by 2% are found
# in 90% of cases or more among the cells, and always among random pictures; of the sets found
# among the original cells, three in 77 are not one picture to the eye.
_MAX_HASH_BITS = 14
_MIN_COARSE_CORRELATION = 0.6
_MAX_FIRST_REMAINDER = 0.25
_MAX_REMAINDER = 0.025
_MIN_FEATURE_COSINE = 0.9

# The mean image of a few images is mostly those images themselves; it counts in full only
# where there are many more than this.
_NUM_PRIOR_IMAGES = 20
_COARSE_PX = 8
_SKETCH_SIZE = 256
_ROWS_PER_BLOCK = 256
_PAIRS_PER_BLOCK = 2048

Orientations = Literal["upright", "any"]
Indices = NDArray[np.int64]
_Turn = Callable[[NDArray[np.generic]], NDArray[np.generic]]

_TURNS: tuple[_Turn, ...] = (
    lambda pictures: pictures,
    lambda pictures: pictures[:, :, ::-1],
    lambda pictures: pictures[:, ::-1, :],
    lambda pictures: pictures[:, ::-1, ::-1],
    lambda pictures: pictures.transpose(0, 2, 1),
    lambda pictures: pictures.transpose(0, 2, 1)[:, :, ::-1],
    lambda pictures: pictures.transpose(0, 2, 1)[:, ::-1, :],
    lambda pictures: pictures.transpose(0, 2, 1)[:, ::-1, ::-1],
)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Sets of images that show the same; every number is an index into ``manifest.usable``.

    Attributes:
        exact: Equal bytes, or equal pixels in different files.
        near: Alike but for compression, size, brightness or a slight crop; at least two
            images of a set are not exact copies. Sets are closed: whoever is like a member
            is a member.
        conflicting: Those of ``exact`` whose images carry more than one label.
    """

    exact: tuple[tuple[int, ...], ...] = ()
    near: tuple[tuple[int, ...], ...] = ()
    conflicting: tuple[tuple[int, ...], ...] = ()


def find_duplicates(
    manifest: Manifest,
    *,
    features: NDArray[np.floating] | None = None,
    orientations: Orientations = "upright",
) -> Duplicates:
    """Finds the usable images that are copies of one another.

    Time grows with the square of the number of images: two seconds for 20,000 different
    ones on two cores, more where many look alike. Memory grows with their number alone.
    Blank images are compared by bytes and pixels only.

    Args:
        manifest: As scanned.
        features: What a backbone makes of the usable images, [N, D]. Pairs that are close
            there are looked at too, however much their hashes differ; the last sieve is the
            same for them.
        orientations: ``"any"`` finds mirrored and turned copies as well, in eight times
            the time.

    Raises:
        UsageError: ``features`` do not have one row an image.
    """
    records = manifest.usable
    if features is not None and len(features) != len(records):
        raise UsageError(
            f"There are {len(features)} rows of features for {len(records)} usable images.",
            next_step="Compute the features of manifest.usable, in its order.",
        )
    exact_of = _link(len(records), _equal_pairs(records))
    exact = _sets(exact_of)
    # One image stands for all its exact copies; blank ones take no further part.
    shown = np.array(
        [i for i, record in enumerate(records) if exact_of[i] == i and _shows_something(record)],
        dtype=np.int64,
    )
    chosen = None if features is None else np.asarray(features, dtype=np.float32)[shown]
    pairs = [(shown[i], shown[j]) for i, j in _near_pairs(records, shown, chosen, orientations)]
    near_of = _link(len(records), [*pairs, *((i, int(exact_of[i])) for i in range(len(records)))])
    near = tuple(members for members in _sets(near_of) if len(set(exact_of[list(members)])) > 1)
    conflicting = tuple(
        members for members in exact if len({records[i].label for i in members}) > 1
    )
    return Duplicates(exact, near, conflicting)


def fuse_groups(manifest: Manifest, duplicates: Duplicates) -> Indices:
    """Numbers the groups of the usable images, [N], so that copies share their group.

    Images of one group keep together, an image without a group is one by itself, and the
    groups of images that are copies of one another, exact or near, become one. Numbers
    run from 0 in order of first appearance.
    """
    records = manifest.usable
    pairs = [pair for members in _all_sets(duplicates) for pair in pairwise(members)]
    by_name: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.group is not None:
            pairs.append((by_name.setdefault(record.group, index), index))
    first = _link(len(records), pairs)
    return np.unique(first, return_inverse=True)[1].astype(np.int64)


def _all_sets(duplicates: Duplicates) -> tuple[tuple[int, ...], ...]:
    return (*duplicates.exact, *duplicates.near, *duplicates.conflicting)


def _shows_something(record: ImageRecord) -> bool:
    return (
        record.signature is not None
        and record.perceptual_hash is not None
        and record.grey_std is not None
        and record.grey_std >= BLANK_STD
    )


def _equal_pairs(records: Sequence[ImageRecord]) -> Iterator[tuple[int, int]]:
    first_with: dict[str, int] = {}
    for index, record in enumerate(records):
        for digest in (record.digest, record.pixel_digest):
            if digest is not None:
                yield first_with.setdefault(digest, index), index


def _near_pairs(
    records: Sequence[ImageRecord],
    shown: Indices,
    features: Floats | None,
    orientations: Orientations,
) -> Iterator[tuple[int, int]]:
    """Yields pairs of positions in ``shown``."""
    if len(shown) < 2:
        return
    signatures = np.frombuffer(
        b"".join(records[i].signature or b"" for i in shown), dtype=np.uint8
    ).reshape(len(shown), SIGNATURE_PX, SIGNATURE_PX)
    common = _mean_picture(signatures)
    coarse = _coarse(signatures, common)
    hashes = hash_signatures(signatures).view(np.uint64)[:, 0]
    for turn in _TURNS if orientations == "any" else _TURNS[:1]:
        turned = np.ascontiguousarray(turn(signatures)).astype(np.uint8)
        turned_hashes = hash_signatures(turned).view(np.uint64)[:, 0]
        turned_coarse = _coarse(turned, common)
        for first, second in _close_hashes(turned_hashes, hashes):
            fits = np.einsum("pd,pd->p", turned_coarse[first], coarse[second])
            kept = fits >= _MIN_COARSE_CORRELATION
            yield from _verified(turned, signatures, common, first[kept], second[kept])
    if features is not None:
        for first, second in _close_features(features):
            yield from _verified(signatures, signatures, common, first, second)


def _mean_picture(signatures: NDArray[np.uint8]) -> Floats:
    """Returns what all images share, [32, 32], held back where there are few of them."""
    total = np.zeros(signatures.shape[1:], dtype=np.float64)
    for block in _blocks(len(signatures), _PAIRS_PER_BLOCK):
        total += standardise(signatures[block]).sum(axis=0, dtype=np.float64)
    return (total / (len(signatures) + _NUM_PRIOR_IMAGES)).astype(np.float32)


def _coarse(signatures: NDArray[np.uint8], common: Floats) -> Floats:
    """Returns unit vectors [N, 64]: each picture in 8 × 8, less what all share."""
    width = SIGNATURE_PX // _COARSE_PX
    vectors = np.empty((len(signatures), _COARSE_PX**2), dtype=np.float32)
    for block in _blocks(len(signatures), _PAIRS_PER_BLOCK):
        own = standardise(signatures[block]) - common
        cells = own.reshape(-1, _COARSE_PX, width, _COARSE_PX, width).mean(axis=(2, 4))
        flat = cells.reshape(len(own), -1)
        vectors[block] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return vectors


def _close_hashes(
    first: NDArray[np.uint64], second: NDArray[np.uint64]
) -> Iterator[tuple[Indices, Indices]]:
    """Yields pairs ``i < j`` whose hashes differ in few bits, block by block of rows."""
    for block in _blocks(len(first), _ROWS_PER_BLOCK):
        distance = np.bitwise_count(first[block, None] ^ second[None, block.start :])
        yield _above_diagonal(distance <= _MAX_HASH_BITS, block.start)


def _close_features(features: Floats) -> Iterator[tuple[Indices, Indices]]:
    """Yields pairs ``i < j`` whose features, less their mean, point nearly the same way."""
    own = features - features.mean(axis=0)
    if own.shape[1] > _SKETCH_SIZE:
        # Random directions keep angles well enough for a sieve (Johnson and Lindenstrauss
        # 1984), and comparing all with all costs as much as they are many.
        directions = np.random.default_rng(0).standard_normal((own.shape[1], _SKETCH_SIZE))
        own = own @ directions.astype(np.float32)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    for block in _blocks(len(own), _ROWS_PER_BLOCK):
        cosine = own[block] @ own[block.start :].T
        yield _above_diagonal(cosine >= _MIN_FEATURE_COSINE, block.start)


def _above_diagonal(is_close: NDArray[np.bool_], start: int) -> tuple[Indices, Indices]:
    row, column = np.nonzero(np.triu(is_close, 1))
    return row + start, column + start


def _verified(
    first_of: NDArray[np.uint8],
    second_of: NDArray[np.uint8],
    common: Floats,
    first: Indices,
    second: Indices,
) -> Iterator[tuple[int, int]]:
    for block in _blocks(len(first), _PAIRS_PER_BLOCK):
        i, j = first[block], second[block]
        a, b = standardise(first_of[i]), standardise(second_of[j])
        stray = np.minimum(
            np.square(a - common).mean(axis=(1, 2)), np.square(b - common).mean(axis=(1, 2))
        )
        promising = np.flatnonzero(remainders(a, b, num_steps=1) <= _MAX_FIRST_REMAINDER * stray)
        i, j, stray = i[promising], j[promising], stray[promising]
        is_copy = remainders(a[promising], b[promising]) <= _MAX_REMAINDER * stray
        yield from zip(i[is_copy].tolist(), j[is_copy].tolist(), strict=True)


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _link(count: int, pairs: Iterable[tuple[int, int]]) -> Indices:
    """Returns for each of ``count`` things the first one that the pairs connect it to."""
    first = list(range(count))

    def root(index: int) -> int:
        while first[index] != index:
            first[index] = first[first[index]]
            index = first[index]
        return index

    for one, other in pairs:
        low, high = sorted((root(int(one)), root(int(other))))
        first[high] = low
    return np.array([root(index) for index in range(count)], dtype=np.int64)


def _sets(first: Indices) -> tuple[tuple[int, ...], ...]:
    """Returns the sets of two members or more, in order of their first members."""
    members: dict[int, list[int]] = {}
    for index, representative in enumerate(first.tolist()):
        members.setdefault(representative, []).append(index)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)
