"""From structure to groups: which candidate is taken, and the manifest with its groups.

By its name where that leaves no doubt; by what images show, where images that share a value look
alike beyond what their class explains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.manifest import Manifest
from foveal.dataset.structure import Candidate, Structure, nests_in
from foveal.text import count_noun, printable


def join_groups(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the finest groups [N] in which those of ``first`` and of ``second`` are whole.

    >>> join_groups(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
    [0, 0, 0, 3]
    """
    sides = [np.unique(side, return_inverse=True)[1].reshape(-1) for side in (first, second)]
    joined = np.arange(len(first), dtype=np.int64)
    while True:
        before = joined
        for side in sides:
            least = np.full(len(joined), len(joined), dtype=np.int64)
            np.minimum.at(least, side, joined)
            joined = least[side]
        if np.array_equal(joined, before):
            return joined


def with_groups(
    manifest: Manifest, candidate: Candidate, *, origin: Literal["name", "test"], note: str
) -> Manifest:
    """Returns the manifest with the groups of a candidate, and the note that says why."""
    if alone := sum(value is None for value in candidate.values):
        verb = "has" if alone == 1 else "have"
        note += (
            f" {count_noun(alone, 'image')} {verb} none; each counts as a group of its own, which "
            "may flatter the figures."
        )
    records = list(manifest.records)
    for row, value in zip(manifest.usable_rows, candidate.values, strict=True):
        group = None if value is None else printable(value)
        records[row] = dataclasses.replace(records[row], group=group)
    return dataclasses.replace(
        manifest,
        records=tuple(records),
        group_source=candidate.source,
        groups_are_approximate=False,
        group_origin=origin,
        group_note=note,
    )


def without_groups(manifest: Manifest) -> Manifest:
    """Returns the manifest with every image alone."""
    records = tuple(dataclasses.replace(record, group=None) for record in manifest.records)
    return dataclasses.replace(
        manifest, records=records, group_source=None, group_origin=None, group_note=""
    )


def choose_by_name(manifest: Manifest, structure: Structure) -> Candidate | None:
    """Returns the candidate whose name leaves no doubt; of nested ones, the widest.

    A part of the file names has to bear it out by what the images show: the ``scan07`` of
    ``P003_scan07`` counts the scans of each patient anew.
    """
    plain = [one for one in structure.candidates if one.is_plain]
    named = [one for one in plain if one.kind == "name"]
    alone = np.arange(len(manifest.usable))
    alike = linked(signatures(manifest), manifest.labels, alone, named)
    unlike = {id(one) for one, is_alike in zip(named, alike, strict=True) if not is_alike}
    plain = [one for one in plain if id(one) not in unlike]
    if not plain:
        return None
    best = plain[0]
    for other in plain[1:]:
        if other.num_groups < best.num_groups and nests_in(best.groups, other.groups):
            best = other
    return best


def signatures(manifest: Manifest) -> NDArray[np.float32]:
    """Returns the usable images in 32 × 32 grey levels, [N, 1024]."""
    rows = [record.signature or bytes(1024) for record in manifest.usable]
    flat = np.frombuffer(b"".join(rows), np.uint8)
    return flat.reshape(len(rows), 1024).astype(np.float32)


def linked(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    base: NDArray[np.int64],
    candidates: Iterable[Candidate],
    *,
    seed: int = 0,
) -> list[bool]:
    """Returns for each candidate whether images that share its value look alike.

    For each image (at most 500 where there are over 5,000) its nearest neighbour is looked up
    among the images of its own class that are in another base group. That neighbour shares the
    value with a probability that is known if values were dealt out at random; a candidate is
    linked where neighbours share it much more often (four standard deviations, and half as often
    again).

    Args:
        vectors: What images look like, [N, D].
        labels: [N].
        base: Groups that are known already, copies fused, [N].
        candidates: Of these images.
        seed: Of the choice of images.
    """
    wanted = list(candidates)
    if not wanted:
        return []
    unit = vectors - vectors.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True) + 1e-9
    queries = np.arange(len(labels))
    if len(queries) > 5000:
        queries = np.sort(np.random.default_rng(seed).choice(queries, 500, replace=False))
    observed = np.zeros(len(wanted))
    expected = np.zeros(len(wanted))
    variance = np.zeros(len(wanted))
    for start in range(0, len(queries), 256):
        rows = queries[start : start + 256]
        similar = unit[rows] @ unit.T
        eligible = (labels[rows, None] == labels[None]) & (base[rows, None] != base[None])
        similar[~eligible] = -np.inf
        nearest, counts = similar.argmax(1), eligible.sum(1)
        for index, one in enumerate(wanted):
            same = (one.groups[rows, None] == one.groups[None]) & eligible
            share = same.sum(1) / np.maximum(counts, 1)
            hit = one.groups[rows] == one.groups[nearest]
            observed[index] += (hit & (counts > 0)).sum()
            expected[index] += share.sum()
            variance[index] += (share * (1.0 - share)).sum()
    excess = (observed - expected) / np.sqrt(np.maximum(variance, 1e-9))
    return [
        bool(e > 4.0 and o > 1.5 * x) for e, o, x in zip(excess, observed, expected, strict=True)
    ]
