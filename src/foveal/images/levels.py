"""What the deep grey levels of a file mean, and a short summary of those of one image.

A level of 3,000 is bright in a 12-bit file and dark in a 16-bit one, and a Hounsfield unit is
no photon count. So levels are compared only within one *kind*: an integer or floating-point
type, or a DICOM modality in its own units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Up to this many distinct levels a histogram finds ranks faster than selection does.
_MAX_HISTOGRAM_LEVELS: Final = 1 << 17

_BAND_SAMPLES: Final = 1 << 20

SUMMARY_PERCENTILES: Final = (
    *(0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0),
    *(50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 100.0),
)
"""Finer towards the ends, where windows begin and end."""


@dataclass(frozen=True, slots=True)
class LevelKind:
    """Levels that can be compared with one another.

    Attributes:
        name: ``"uint16"``, ``"float32"``, ``"DICOM CT"``: of the type, or of the modality.
        bottom: The lowest level that can be stored, in the units of the levels.
        top: The highest; 1 for floating point, whose white is 1 by convention.
    """

    name: str
    bottom: float
    top: float

    @classmethod
    def of(cls, levels: NDArray[Any]) -> LevelKind:
        """Returns the kind of levels that mean no more than their type says."""
        if levels.dtype.kind == "f":
            return cls(levels.dtype.name, 0.0, 1.0)
        limits = np.iinfo(levels.dtype)
        return cls(levels.dtype.name, float(limits.min), float(limits.max))

    def mirrored(self, level: float) -> float:
        """Returns the level of the same brightness where the lowest level is white."""
        return self.bottom + self.top - level


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """The levels of one image, so that those of a whole set can be put together.

    Attributes:
        kind: What the levels mean. Where the lowest is white, they are mirrored first, so
            that higher is always brighter.
        quantiles: The levels at :data:`SUMMARY_PERCENTILES`.
        stated: The limits of the linear display window that a DICOM header gives.
    """

    kind: LevelKind
    quantiles: tuple[float, ...]
    stated: tuple[float, float] | None = None


def levels_at(sample: NDArray[Any], ranks: Sequence[int]) -> list[Any]:
    """Returns the levels of these ranks, 0 the lowest, as Python numbers.

    >>> levels_at(np.array([5, 1, 3]), [0, 1, 2])
    [1, 3, 5]
    """
    lowest, highest = sample.min(), sample.max()
    is_integer = sample.dtype.kind in "iu"
    if is_integer and int(highest) - int(lowest) < _MAX_HISTOGRAM_LEVELS:
        counts = np.zeros(int(highest) - int(lowest) + 1, np.int64)
        for start in range(0, sample.size, _BAND_SAMPLES):  # counting takes 8 bytes a sample
            part = sample[start : start + _BAND_SAMPLES].astype(np.int64) - int(lowest)
            counts += np.bincount(part, minlength=len(counts))
        below = np.cumsum(counts)
        return [int(lowest) + int(i) for i in np.searchsorted(below, ranks, side="right")]
    chosen = np.partition(sample, sorted(set(ranks)))
    return [chosen[rank].item() for rank in ranks]


def percentile_ranks(size: int) -> list[int]:
    """Returns the ranks of :data:`SUMMARY_PERCENTILES`, symmetrical about the middle."""
    last = size - 1
    return [
        int(p / 100 * last) if p <= 50 else last - int((100 - p) / 100 * last)
        for p in SUMMARY_PERCENTILES
    ]


def pooled_percentiles(
    summaries: Sequence[LevelSummary], percentiles: Sequence[float]
) -> tuple[float, ...]:
    """Returns percentiles of the levels of all images together, every image counting the same.

    Each summary is taken as 21 levels, each with the share of the image that it stands for.
    """
    marks = np.array(SUMMARY_PERCENTILES)
    edges = np.concatenate([[0.0], (marks[1:] + marks[:-1]) / 2, [100.0]])
    values = np.array([summary.quantiles for summary in summaries], np.float64)
    weights = np.broadcast_to(np.diff(edges), values.shape).ravel() / len(summaries)
    order = np.argsort(values, axis=None, kind="stable")
    below = np.cumsum(weights[order])
    positions = np.searchsorted(below, percentiles, side="left")
    return tuple(float(values.ravel()[order[min(i, len(order) - 1)]]) for i in positions)
