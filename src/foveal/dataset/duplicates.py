"""Finds the same image stored twice: byte for byte, pixel for pixel, or nearly.

Near copies are found by ``foveal.dataset.near_pairs``; here they become sets, and sets become
groups. A run keeps what the comparison with new data needs instead of its images: of each
image two digests and a sketch of 16 × 16 grey levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.fingerprints import SIGNATURE_PX
from foveal.dataset.manifest import ImageRecord, Manifest
from foveal.dataset.near_pairs import NearPair, find_near_pairs, near_any, sketch
from foveal.errors import UsageError

BLANK_STD = 0.01
"""Grey levels (black 0, white 1) that spread less than this show no image."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Sets of images that show the same; every number is an index into ``manifest.usable``.

    Attributes:
        exact: Equal bytes, or equal pixels in different files.
        near: Alike but for compression, size, brightness, a slight crop or rotation, or
            mirrored or turned; at least two images of a set are not exact copies. Sets are
            closed: whoever is like a member is a member.
        conflicting: Those of ``exact`` whose images carry more than one label.
        turned: Those of ``near`` that are one set only because of mirrored or turned copies.
    """

    exact: tuple[tuple[int, ...], ...] = ()
    near: tuple[tuple[int, ...], ...] = ()
    conflicting: tuple[tuple[int, ...], ...] = ()
    turned: tuple[tuple[int, ...], ...] = ()


def find_duplicates(
    manifest: Manifest, *, features: NDArray[np.floating] | None = None
) -> Duplicates:
    """Finds the usable images that are copies of one another, in any of eight orientations.

    Time grows with the square of the number of images: three seconds for 20,000 different
    ones on two cores, more where many look alike. Memory grows with their number alone.
    Blank images are compared by bytes and pixels only.

    Args:
        manifest: As scanned.
        features: What a backbone makes of the usable images, [N, D]. Pairs that are close
            there are looked at too, however much their hashes differ; the last sieve is the
            same for them.

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
        [i for i, record in enumerate(records) if exact_of[i] == i and shows_something(record)],
        dtype=np.int64,
    )
    chosen = None if features is None else np.asarray(features, dtype=np.float32)[shown]
    signatures = stack_signatures([records[index] for index in shown])
    pairs = list(find_near_pairs(signatures, features=chosen))
    near_of = _link_near(pairs, shown, exact_of)
    near = tuple(members for members in _sets(near_of) if len(set(exact_of[list(members)])) > 1)
    upright_of = _link_near([pair for pair in pairs if not pair.is_turned], shown, exact_of)
    return Duplicates(
        exact=exact,
        near=near,
        conflicting=tuple(
            members for members in exact if len({records[i].label for i in members}) > 1
        ),
        turned=tuple(members for members in near if len(set(upright_of[list(members)])) > 1),
    )


def shows_something(record: ImageRecord) -> bool:
    """Whether the image is more than one level, so that it can be like another one."""
    return (
        record.signature is not None
        and record.grey_std is not None
        and record.grey_std >= BLANK_STD
    )


def stack_signatures(records: Sequence[ImageRecord]) -> NDArray[np.uint8]:
    """Returns the signatures of records that have one, uint8 [N, 32, 32]."""
    joined = b"".join(record.signature or b"" for record in records)
    return np.frombuffer(joined, np.uint8).reshape(len(records), SIGNATURE_PX, SIGNATURE_PX)


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


def number_copies(duplicates: Duplicates, num_images: int) -> Indices:
    """Numbers what the usable images show, [N]: copies of one another share theirs."""
    pairs = [pair for members in _all_sets(duplicates) for pair in pairwise(members)]
    return np.unique(_link(num_images, pairs), return_inverse=True)[1].astype(np.int64)


def _all_sets(duplicates: Duplicates) -> tuple[tuple[int, ...], ...]:
    return (*duplicates.exact, *duplicates.near, *duplicates.conflicting)


def _equal_pairs(records: Sequence[ImageRecord]) -> Iterator[tuple[int, int]]:
    first_with: dict[str, int] = {}
    for index, record in enumerate(records):
        for digest in (record.digest, record.pixel_digest):
            if digest is not None:
                yield first_with.setdefault(digest, index), index


def _link_near(pairs: Iterable[NearPair], shown: Indices, exact_of: Indices) -> Indices:
    """Links pairs of positions in ``shown``, and exact copies to the one that stands for them."""
    near = [(int(shown[pair.first]), int(shown[pair.second])) for pair in pairs]
    return _link(len(exact_of), [*near, *enumerate(exact_of.tolist())])


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


@dataclass(frozen=True, slots=True)
class SeenImages:
    """What is known of images that were seen.

    Attributes:
        digests: SHA-256 of their files, in hex.
        pixel_digests: SHA-256 of their decoded images, in hex.
        sketches: Those that show something, uint8 [M, 16, 16].
    """

    digests: frozenset[str]
    pixel_digests: frozenset[str]
    sketches: NDArray[np.uint8]


def find_seen(records: Sequence[ImageRecord], seen: SeenImages) -> NDArray[np.bool_]:
    """Returns which images had been seen, themselves or as a copy, [N].

    A copy may be saved anew, resized, brighter, slightly cropped or rotated, mirrored or
    turned; docs/duplicates.md tells what is found and what is not.
    """
    is_seen = np.array(
        [one.digest in seen.digests or one.pixel_digest in seen.pixel_digests for one in records],
        dtype=np.bool_,
    )
    rows = [
        row for row, record in enumerate(records) if not is_seen[row] and shows_something(record)
    ]
    sketches = sketch_records([records[row] for row in rows])
    is_seen[rows] = near_any(sketches, seen.sketches)
    return is_seen


def sketch_records(records: Sequence[ImageRecord]) -> NDArray[np.uint8]:
    """Returns the sketches of images that have a signature, uint8 [N, 16, 16]."""
    return sketch(stack_signatures(records))
