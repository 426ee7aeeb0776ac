"""Finds pairs of images that show the same, mirrored and turned copies included.

Pairs pass three sieves, each finer and dearer than the one before: the perceptual hashes differ
in few bits; the coarse images correlate, after what all images share has been taken away; and
hardly anything remains when one image is laid over the other (``foveal.dataset.alignment``).

What remains is measured against how far the two images stray from the mean image of the data
set, not against their whole contrast. Parts on a belt and solar cells share their layout, so
that two different ones look alike to every common similarity; they are the same image only
if they agree in what sets them apart from the rest. A part that lies a little differently each
time is no exception: the mean image is moved onto both before that is measured.

One image of a pair is tried in its eight orientations, the other as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.alignment import Floats, fit, halve, remainders, standardise
from foveal.dataset.fingerprints import hash_signatures

SKETCH_PX = 16

# Chosen on the 2,624 solar cells of ELPV, which look alike as few things do, and on random
# images; docs/duplicates.md has what they find and miss.
_MAX_HASH_BITS = 16
_MIN_COARSE_CORRELATION = 0.65
_MAX_FIRST_REMAINDER = 0.25
_MAX_REMAINDER = 0.025
_MAX_SKETCH_REMAINDER = 0.02
_MIN_FEATURE_COSINE = 0.9
_LAYOUT_SHARE = 0.15

# The mean image of a few images is mostly those images themselves; it counts in full only
# where there are many more than this.
_NUM_PRIOR_IMAGES = 20
_COARSE_PX = 8
_PROJECTED_SIZE = 256
# Tiles of hashes stay in the processor's cache: that is five times as fast as whole rows.
_ROWS_PER_TILE = 128
_COLUMNS_PER_TILE = 4096
_ROWS_PER_BLOCK = 256
_PAIRS_PER_BLOCK = 2048

Indices = NDArray[np.int64]
Signatures = NDArray[np.uint8]
_Images = NDArray[np.uint8] | Floats
_Turn = Callable[[_Images], _Images]

_TURNS: tuple[_Turn, ...] = (
    lambda images: images,
    lambda images: images[:, :, ::-1],
    lambda images: images[:, ::-1, :],
    lambda images: images[:, ::-1, ::-1],
    lambda images: images.transpose(0, 2, 1),
    lambda images: images.transpose(0, 2, 1)[:, :, ::-1],
    lambda images: images.transpose(0, 2, 1)[:, ::-1, :],
    lambda images: images.transpose(0, 2, 1)[:, ::-1, ::-1],
)
_INVERSE_TURNS = (0, 1, 2, 3, 4, 6, 5, 7)
_NUM_LAYOUT_STEPS = 3


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two images that show the same; ``is_turned`` if one has to be mirrored or turned."""

    first: int
    second: int
    is_turned: bool


def find_near_pairs(
    signatures: Signatures, *, features: Floats | None = None
) -> Iterator[NearPair]:
    """Yields the pairs of images that are copies of one another, some of them twice.

    Args:
        signatures: uint8 [N, 32, 32], see ``foveal.dataset.fingerprints``.
        features: float32 [N, D]: pairs that are close there are looked at too, however much
            their hashes differ.
    """
    if len(signatures) < 2:
        return
    small = _small(signatures)
    layout, orientations = _Layout.of(small)
    second = _Side.of(small, small - layout.means[orientations])
    means = _mean_images(lambda block: standardise(signatures[block]), orientations)

    def verify(turn: _Turn, first: Indices, other: Indices) -> NDArray[np.bool_]:
        return _verify(turn, signatures, means, orientations, first, other)

    sides = [second, *(second.turned(turn) for turn in _TURNS[1:])]
    for number, (turn, first) in enumerate(zip(_TURNS, sides, strict=True)):
        for i, j in _close_hashes(first.hashes, second.hashes, is_one_set=True):
            for one, other in _promising(first, second, i, j):
                kept = verify(turn, one, other)
                yield from _as_pairs(one[kept], other[kept], is_turned=number > 0)
    if features is not None:
        for i, j in _close_features(features):
            correlations = [
                np.einsum("pc,pc->p", side.coarse[i], second.coarse[j]) for side in sides
            ]
            best = np.argmax(correlations, axis=0)
            for number, turn in enumerate(_TURNS):
                one, other = i[best == number], j[best == number]
                kept = verify(turn, one, other)
                yield from _as_pairs(one[kept], other[kept], is_turned=number > 0)


def sketch(signatures: Signatures) -> Signatures:
    """Returns uint8 [N, 16, 16]: signatures at half the size, to be kept and compared later."""
    return np.rint(halve(signatures.astype(np.float32))).astype(np.uint8)


def near_any(new: Signatures, known: Signatures) -> NDArray[np.bool_]:
    """Returns which of ``new`` are copies of one of ``known``, [N].

    Args:
        new: Sketches, uint8 [N, 16, 16].
        known: Sketches, uint8 [M, 16, 16]; they say what all images share.
    """
    found = np.zeros(len(new), dtype=np.bool_)
    if not len(new) or not len(known):
        return found
    levels, known_levels = standardise(new), standardise(known)
    layout, orientations = _Layout.of(known_levels)
    second = _Side.of(known_levels, known_levels - layout.means[orientations])
    new_orientations = layout.orientations(levels)
    upright = _Side.of(levels, levels - layout.means[new_orientations])
    for turn in _TURNS:
        first = upright.turned(turn)
        for i, j in _close_hashes(first.hashes, second.hashes, is_one_set=False):
            for one, other in _promising(first, second, i, j):
                stray = np.minimum(first.stray[one], second.stray[other])
                left = remainders(first.levels[one], second.levels[other])
                kept = left <= _MAX_SKETCH_REMAINDER * stray
                one, other, left = one[kept], other[kept], left[kept]
                own = _own_stray(
                    stray[kept],
                    (layout.means[new_orientations[one]], levels[one]),
                    (layout.means[orientations[other]], known_levels[other]),
                    num_images=len(known),
                )
                found[one[left <= _MAX_SKETCH_REMAINDER * own]] = True
    return found


@dataclass(frozen=True, slots=True)
class _Layout:
    """What images share: their mean in the eight orientations, [8, S, S]."""

    means: Floats

    @classmethod
    def of(cls, levels: Floats) -> tuple[_Layout, Indices]:
        """Returns the layout of images [N, S, S] and the orientation it has in each, [N]."""
        orientations = np.zeros(len(levels), dtype=np.int64)
        for _ in range(_NUM_LAYOUT_STEPS):
            layout = cls(_mean_images(lambda block: levels[block], orientations))
            orientations = layout.orientations(levels)
        return layout, orientations

    def orientations(self, levels: Floats) -> Indices:
        """Returns the orientation of the layout that fits each image best, [N]."""
        size = self.means.shape[1] * self.means.shape[2]
        fits = levels.reshape(len(levels), size) @ self.means.reshape(len(_TURNS), size).T
        # An upright layout that fits as well as a turned one is upright.
        best: Indices = np.argmax(np.round(fits / size, 4), axis=1)
        return best


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison: images [N, 16, 16] and what the first sieves need of them.

    ``own`` is what sets an image apart from the layout, ``stray`` its mean square.
    """

    levels: Floats
    own: Floats
    hashes: NDArray[np.uint64]
    coarse: Floats
    stray: Floats

    @classmethod
    def of(cls, levels: _Images, own: _Images, stray: Floats | None = None) -> _Side:
        levels, own = (np.ascontiguousarray(one, dtype=np.float32) for one in (levels, own))
        if stray is None:
            stray = np.square(own).mean(axis=(1, 2))
        hashes = hash_signatures(levels).view(np.uint64)[:, 0]
        return cls(levels, own, hashes, _coarse(own), stray)

    def turned(self, turn: _Turn) -> _Side:
        return _Side.of(turn(self.levels), turn(self.own), self.stray)


def _mean_images(read: Callable[[slice], Floats], orientations: Indices) -> Floats:
    """Returns what images share in eight orientations, [8, S, S].

    Held back where there are few of them.

    Args:
        read: Gives a block of the standardised images.
        orientations: The orientation in which each shows what is shared, [N].
    """
    total: NDArray[np.float64] | float = 0.0
    for block in _blocks(len(orientations), _PAIRS_PER_BLOCK):
        images = read(block)
        for number, inverse in enumerate(_INVERSE_TURNS):
            upright = _TURNS[inverse](images[orientations[block] == number])
            total = total + upright.sum(axis=0, dtype=np.float64)
    mean = np.asarray(total / (len(orientations) + _NUM_PRIOR_IMAGES), dtype=np.float32)
    return np.stack([turn(mean[None])[0] for turn in _TURNS])


def _small(signatures: Signatures) -> Floats:
    """Returns standardised signatures at half the size, [N, 16, 16]."""
    small = np.empty((len(signatures), SKETCH_PX, SKETCH_PX), dtype=np.float32)
    for block in _blocks(len(signatures), _PAIRS_PER_BLOCK):
        small[block] = halve(standardise(signatures[block]))
    return small


def _coarse(own: Floats) -> Floats:
    """Returns unit vectors [N, C]: images [N, 16, 16] in 8 × 8, without the corners."""
    coordinate = (2 * np.arange(_COARSE_PX) + 1) / _COARSE_PX - 1
    cells = np.flatnonzero(np.hypot(coordinate[:, None], coordinate[None, :]) <= 1.0)
    vectors: Floats = halve(own).reshape(len(own), _COARSE_PX**2)[:, cells]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors


def _close_hashes(
    first: NDArray[np.uint64], second: NDArray[np.uint64], *, is_one_set: bool
) -> Iterator[tuple[Indices, Indices]]:
    """Yields pairs whose hashes differ in few bits; of one set with itself, pairs ``i < j``."""
    for rows in _blocks(len(first), _ROWS_PER_TILE):
        start = rows.start if is_one_set else 0
        for columns in _blocks(len(second), _COLUMNS_PER_TILE, start=start):
            distance = np.bitwise_count(first[rows, None] ^ second[None, columns])
            # One index is found several times as fast as two.
            row, column = np.divmod(np.flatnonzero(distance <= _MAX_HASH_BITS), distance.shape[1])
            i, j = row + rows.start, column + columns.start
            kept = i < j if is_one_set else slice(None)
            yield i[kept], j[kept]


def _close_features(features: Floats) -> Iterator[tuple[Indices, Indices]]:
    """Yields pairs ``i < j`` whose features, less their mean, point nearly the same way."""
    own = features - features.mean(axis=0)
    if own.shape[1] > _PROJECTED_SIZE:
        # Random directions keep angles well enough for a sieve (Johnson and Lindenstrauss
        # 1984), and comparing all with all costs as much as they are many.
        directions = np.random.default_rng(0).standard_normal((own.shape[1], _PROJECTED_SIZE))
        own = own @ directions.astype(np.float32)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    for block in _blocks(len(own), _ROWS_PER_BLOCK):
        cosine = own[block] @ own[block.start :].T
        row, column = np.nonzero(np.triu(cosine >= _MIN_FEATURE_COSINE, 1))
        yield row + block.start, column + block.start


def _promising(
    first: _Side, second: _Side, i: Indices, j: Indices
) -> Iterator[tuple[Indices, Indices]]:
    """Yields those of the pairs that pass the coarse sieve and one step of the alignment."""
    correlation = np.einsum("pc,pc->p", first.coarse[i], second.coarse[j])
    close = correlation >= _MIN_COARSE_CORRELATION
    i, j = i[close], j[close]
    for block in _blocks(len(i), _PAIRS_PER_BLOCK):
        one, other = i[block], j[block]
        remainder, _ = fit(first.levels[one], second.levels[other])
        stray = np.minimum(first.stray[one], second.stray[other])
        kept = remainder <= _MAX_FIRST_REMAINDER * stray
        yield one[kept], other[kept]


def _verify(
    turn: _Turn,
    signatures: Signatures,
    means: Floats,
    orientations: Indices,
    first: Indices,
    second: Indices,
) -> NDArray[np.bool_]:
    """Returns which pairs [P] are one image, by all that their signatures show."""
    is_copy = np.zeros(len(first), dtype=np.bool_)
    for block in _blocks(len(first), _PAIRS_PER_BLOCK):
        i, j = first[block], second[block]
        a, b = standardise(signatures[i]), standardise(signatures[j])
        stray = np.minimum(
            np.square(a - means[orientations[i]]).mean(axis=(1, 2)),
            np.square(b - means[orientations[j]]).mean(axis=(1, 2)),
        )
        turned = np.ascontiguousarray(turn(a), dtype=np.float32)
        left = remainders(turned, b)
        kept = np.flatnonzero(left <= _MAX_REMAINDER * stray)
        kept = kept[
            left[kept]
            <= _MAX_REMAINDER
            * _own_stray(
                stray[kept],
                (means[orientations[i[kept]]], a[kept]),
                (means[orientations[j[kept]]], b[kept]),
                num_images=len(signatures),
            )
        ]
        is_copy[block.start + kept] = True
    return is_copy


def _own_stray(stray: Floats, *sides: tuple[Floats, Floats], num_images: int) -> Floats:
    """Returns how far pairs stray from what all images share, moved onto both of them, [P].

    The move counts only where it explains nearly all that seemed to set an image apart.

    Args:
        stray: The same without a move, [P].
        sides: For each image of the pairs the layout and the image, both [P, S, S].
        num_images: That the layout is the mean of. Of few images it is mostly themselves, so
            that hardly anything remains: the move then counts for little.
    """
    least = stray
    for layouts, images in sides:
        least = np.minimum(least, remainders(layouts, images))
    trust = num_images / (num_images + _NUM_PRIOR_IMAGES)
    is_layout = least < _LAYOUT_SHARE * stray
    return np.where(is_layout, least**trust * stray ** (1 - trust), stray)


def _as_pairs(first: Indices, second: Indices, *, is_turned: bool) -> Iterator[NearPair]:
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        yield NearPair(one, other, is_turned)


def _blocks(count: int, size: int, *, start: int = 0) -> Iterator[slice]:
    return (slice(first, min(first + size, count)) for first in range(start, count, size))
