"""How deep grey levels (16-bit, float, DICOM) become [0, 1].

A deep image seldom fills its range: 12 bits in a 16-bit file are nearly black when shifted
down to 8 and white when clamped. A window says which level becomes black and which white.
One window for a whole set keeps what tells a bright image from a dark one; it is chosen on the
training images (``foveal.images.set_window``) and travels with the classifier. Without one,
each image is stretched by two percentiles of its own, which a handful of dead or hot pixels
cannot move, and its absolute brightness is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError, UsageError
from foveal.images.levels import LevelKind, LevelSummary, levels_at, percentile_ranks
from foveal.text import count_noun

_CONSTANT_LEVEL: Final = 0.5
_BAND_SAMPLES: Final = 1 << 20
_BY_ITSELF: Final = "the image is windowed by its own percentiles"


@dataclass(frozen=True, slots=True)
class FixedRange:
    """One window for every image of a kind.

    Attributes:
        kind: Name of the :class:`LevelKind`.
        low: The level that becomes 0, in the units of the levels.
        high: The level that becomes 1.

    Raises:
        UsageError: The two are not finite and in order.
    """

    kind: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuses what could only divide by zero, or turn black to white."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(
                f"window: got levels {self.low} to {self.high}, expected two finite numbers, the "
                "lower first",
                next_step="Use for instance -160:240, Hounsfield units of soft tissue.",
            )


@dataclass(frozen=True, slots=True)
class Window:
    """The policy by which deep grey levels become [0, 1].

    Attributes:
        fixed: The window of each kind of levels that has one for the whole set. The other
            attributes only matter for images of other kinds.
        low_percentile: Percentile of the image's own levels that becomes 0.
        high_percentile: Percentile that becomes 1. Colour images have one window for
            all three channels, so hues stay.
        dicom: ``"header"`` follows the file's VOI LUT or window and falls back on
            percentiles; ``"percentile"`` ignores what the header says.

    Raises:
        UsageError: The percentiles are not 0 ≤ low < high ≤ 100.
    """

    low_percentile: float = 0.5
    high_percentile: float = 99.5
    dicom: Literal["header", "percentile"] = "header"
    fixed: tuple[FixedRange, ...] = ()

    def range_for(self, kind: LevelKind) -> FixedRange | None:
        """Returns the window of the whole set for levels of a kind, if it has one."""
        return next((one for one in self.fixed if one.kind == kind.name), None)

    def __post_init__(self) -> None:
        """Refuses percentiles that are none, and unknown policies."""
        if not 0 <= self.low_percentile < self.high_percentile <= 100:
            raise UsageError(
                f"window: got percentiles {self.low_percentile} to {self.high_percentile}, "
                "expected 0 <= low < high <= 100",
                next_step="Use for instance low_percentile=0.5, high_percentile=99.5.",
            )
        if self.dicom not in ("header", "percentile"):
            raise UsageError(
                f"the DICOM window policy {self.dicom!r} is unknown",
                next_step="Use 'header' or 'percentile'.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Stretched:
    """Levels stretched to [0, 1] ``float32``, and what there is to say about it."""

    values: NDArray[np.float32]
    notes: tuple[str, ...] = ()
    summary: LevelSummary | None = None


def stretch(
    levels: NDArray[Any],
    window: Window,
    *,
    kind: LevelKind | None = None,
    ignored: NDArray[np.bool_] | None = None,
    polarity: Literal["normal", "inverted"] = "normal",
) -> Stretched:
    """Maps two levels linearly to 0 and 1 and clips what lies outside.

    They are those of the whole set where ``window`` has them for this kind of levels, else
    percentiles of the image itself. Their ranks are taken without interpolation and
    symmetrically, so a negative with inverted polarity gives exactly the pixels of its
    positive. By itself, an image of one single level becomes 0.5 everywhere: it has no contrast
    to show, and nothing is divided by 0.

    Args:
        levels: Grey levels of any integer or real type, [H, W] or [H, W, 3].
        window: Fixed ranges and percentiles.
        kind: What the levels mean; what their type says by default.
        ignored: ``True`` [H, W] where a level shall not count (padding, transparent).
        polarity: ``"inverted"`` where the lowest level is white.

    Returns:
        ``float32`` of the same shape. NaN becomes 0 (black) and infinities the nearer end.
        With a summary of the levels where these decided.

    Raises:
        ImageError: ``corrupt`` where not one pixel is finite.

    >>> stretch(np.array([[1000, 3000]], np.uint16), Window(0, 100)).values.tolist()
    [[0.0, 1.0]]
    """
    kind = kind or LevelKind.of(levels)
    fixed = window.range_for(kind)
    notes: tuple[str, ...] = ()
    sample = levels if ignored is None or ignored.all() else levels[~ignored]
    if levels.dtype.kind == "f":
        finite = np.isfinite(sample)
        num_wrong = int(finite.size - np.count_nonzero(finite))
        if num_wrong == sample.size:
            raise ImageError(
                "not one pixel is a finite number (all are NaN or infinite)",
                code="corrupt",
                next_step="Write it again from its source.",
            )
        if num_wrong:
            sample = sample[finite]
            wrong = count_noun(num_wrong, "value")
            notes = (f"{wrong} NaN or infinite: left out of the grey-level window.",)
    if fixed is not None:
        return Stretched(scale(levels, fixed.low, fixed.high, kind, polarity), notes)
    summary = summarise(np.ravel(sample), kind, polarity)
    if window.fixed:
        notes = (*notes, f"No training image had levels of the kind {kind.name}: {_BY_ITSELF}.")
    low, high = _limits(np.ravel(sample), window)
    if low == high:
        flat = np.full(levels.shape, _CONSTANT_LEVEL, np.float32)
        return Stretched(flat, (*notes, "All pixels have the same grey level."), summary)
    return Stretched(_scale(levels, low, high, polarity), notes, summary)


def scale(
    levels: NDArray[Any],
    low: float,
    high: float,
    kind: LevelKind,
    polarity: Literal["normal", "inverted"],
) -> NDArray[np.float32]:
    """Maps ``low`` to 0 and ``high`` to 1, mirrored within the kind where lowest is white."""
    if polarity == "inverted":
        low, high = kind.mirrored(high), kind.mirrored(low)
    return _scale(levels, low, high, polarity)


def _scale(
    levels: NDArray[Any], low: float, high: float, polarity: Literal["normal", "inverted"]
) -> NDArray[np.float32]:
    """Maps levels band by band, since the work of one takes several times its memory."""
    scaled = np.empty(levels.shape, np.float32)
    step = max(1, _BAND_SAMPLES // max(1, levels[:1].size))
    for top in range(0, len(levels), step):
        scaled[top : top + step] = _scale_band(levels[top : top + step], low, high, polarity)
    return scaled


def summarise(
    sample: NDArray[Any], kind: LevelKind, polarity: Literal["normal", "inverted"]
) -> LevelSummary:
    """Returns the summary of finite levels [N], higher always brighter."""
    quantiles = [float(level) for level in levels_at(sample, percentile_ranks(sample.size))]
    if polarity == "inverted":
        quantiles = [kind.mirrored(level) for level in reversed(quantiles)]
    return LevelSummary(kind, tuple(quantiles))


def _limits(sample: NDArray[Any], window: Window) -> tuple[float, float]:
    """Returns the levels that become 0 and 1; equal only where all levels are."""
    last = sample.size - 1
    low_rank = math.floor(window.low_percentile / 100 * last)
    high_rank = last - math.floor((100 - window.high_percentile) / 100 * last)
    lowest, highest = sample.min(), sample.max()
    low, high = levels_at(sample, (low_rank, high_rank))
    # A small object on a flat ground: both ranks fall on the ground, the range does not.
    return (low, high) if low < high else (lowest.item(), highest.item())


def _scale_band(
    levels: NDArray[Any], low: float, high: float, polarity: Literal["normal", "inverted"]
) -> NDArray[np.float32]:
    # 16-bit integers are exact in float32; anything wider is subtracted in float64 first.
    is_small = levels.dtype.kind in "iu" and levels.dtype.itemsize <= 2
    real: type[Any] = np.float32 if is_small else np.float64
    if levels.dtype.kind == "f" and not math.isfinite(float(high) - float(low)):
        levels, low, high = levels * 0.25, low * 0.25, high * 0.25
    low_real, high_real = real(low), real(high)
    with np.errstate(invalid="ignore", over="ignore"):
        if polarity == "normal":
            scaled = np.subtract(levels, low_real, dtype=real)
        else:
            scaled = np.subtract(high_real, levels, dtype=real)
        scaled /= high_real - low_real
    if levels.dtype.kind == "f":
        np.nan_to_num(scaled, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    return np.asarray(scaled, np.float32)
