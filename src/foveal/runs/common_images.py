"""Which images two sides have in common: by their contents, and else by their paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.errors import DataError
from foveal.runs.sides import Side
from foveal.text import count_noun

_NUM_NAMED = 3


@dataclass(frozen=True)
class CommonImages:
    """Pairs of rows that are one image.

    Attributes:
        first_rows, second_rows: Positions on the two sides, shape [P].
        num_by_content: Pairs whose file or pixels are the same.
        num_by_path: Pairs that only their path brings together.
    """

    first_rows: NDArray[np.int64]
    second_rows: NDArray[np.int64]
    num_by_content: int
    num_by_path: int


def find_common(first: Side, second: Side) -> CommonImages:
    """Finds the images that both sides answered.

    Contents count before paths: the same path and contents, the same pixels, the same file, then
    the same path. A path of a table may begin further up or further down than the run's.

    Raises:
        DataError: There is none, or a path of a table fits several images of the run.
    """
    pairs: dict[int, int] = {}
    left = [set(range(len(first.paths))), set(range(len(second.paths)))]

    def join(key: Callable[[Side, int], Hashable | None]) -> int:
        waiting = defaultdict(list)
        for row in sorted(left[1], reverse=True):
            if (found := key(second, row)) is not None:
                waiting[found].append(row)
        before = len(pairs)
        for row in sorted(left[0]):
            found = key(first, row)
            if found is not None and waiting.get(found):
                pairs[row] = waiting[found].pop()
        left[0] -= set(pairs)
        left[1] -= set(pairs.values())
        return len(pairs) - before

    num_by_content = sum(map(join, (_path_and_pixels, _path_and_file, _pixels, _file)))
    # Numbers in place of names say nothing about which image it is.
    named = not (first.has_numbered_paths or second.has_numbered_paths)
    num_by_path = join(lambda side, row: side.paths[row]) if named else 0
    if named and second.kind == "answers":
        ends = _match_ends(first.paths, second.paths, left)
        num_by_path += len(ends)
        pairs |= ends
    if not pairs:
        raise DataError(
            f"{first.name} and {second.name} have no image in common: {_describe(first)}; "
            f"{_describe(second)}.",
            next_step="Compare runs on the same images; a table names them as the run does, see "
            "the paths in its oof.parquet.",
        )
    rows = np.array(sorted(pairs), np.int64)
    return CommonImages(
        rows, np.array([pairs[row] for row in rows], np.int64), num_by_content, num_by_path
    )


def _path_and_pixels(side: Side, row: int) -> Hashable | None:
    pixels = side.digests[row][1]
    return (side.paths[row], pixels) if pixels else None


def _path_and_file(side: Side, row: int) -> Hashable | None:
    digest = side.digests[row][0]
    return (side.paths[row], digest) if digest else None


def _pixels(side: Side, row: int) -> Hashable | None:
    return side.digests[row][1] or None


def _file(side: Side, row: int) -> Hashable | None:
    # Frames of one file share its digest; only their pixels tell them apart.
    digest, pixels = side.digests[row]
    return digest if digest and not pixels else None


def _match_ends(known: Sequence[str], given: Sequence[str], left: list[set[int]]) -> dict[int, int]:
    """Returns rows of ``known`` whose path ends like a given one, or the other way round."""
    by_end: dict[str, set[int]] = defaultdict(set)
    by_path = {known[row]: row for row in left[0]}
    for row in left[0]:
        for end in _ends(known[row]):
            by_end[end].add(row)
    found: dict[int, int] = {}
    for row in sorted(left[1]):
        longer = next((by_path[end] for end in _ends(given[row]) if end in by_path), None)
        candidates = by_end.get(given[row], set()) if longer is None else {longer}
        if len(candidates) > 1:
            named = " and ".join(sorted(known[one] for one in candidates)[:2])
            raise DataError(
                f"The path {given[row]} could be {count_noun(len(candidates), 'image')} of the "
                f"run, {named} among them.",
                next_step="Give paths as the run has them, with their folders.",
            )
        for one in candidates:
            if one in found:
                raise DataError(
                    f"Two paths of the table are the same image of the run: "
                    f"{given[found[one]]} and {given[row]}.",
                    next_step="Keep one row an image.",
                )
            found[one] = row
    return found


def _ends(path: str) -> list[str]:
    """Returns what remains of a path without its first folders, the longest first."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))]


def _describe(side: Side) -> str:
    paths = ", ".join(side.paths[:_NUM_NAMED])
    more = " and more" if len(side.paths) > _NUM_NAMED else ""
    return f"{side.name} has {paths}{more}"
