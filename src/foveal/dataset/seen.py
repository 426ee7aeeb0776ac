"""Which images of new data had been seen before: the same file, the same picture, or a copy.

A run keeps what this comparison needs instead of its pictures: of each image two digests and
a sketch of 16 × 16 grey levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.duplicates import shows_something, stack_signatures
from foveal.dataset.manifest import ImageRecord
from foveal.dataset.near_pairs import near_any, sketch


@dataclass(frozen=True, slots=True)
class SeenImages:
    """What is known of images that were seen.

    Attributes:
        digests: SHA-256 of their files, in hex.
        pixel_digests: SHA-256 of their decoded pictures, in hex.
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
