"""Antialiased resampling in whole numbers: the same bytes on every machine and in every year.

Pillow resizes columns first up to version 12 and rows first in some cases from version 13 on,
which changes levels by up to 17. A network's answer must not depend on that, so the arithmetic
is our own, and so simple that it can be written again in any language:

1. Output pixel ``i`` of ``target`` lies at ``centre = (i + 0.5) * scale`` in the source, where
   ``scale = source / target``. It sees the source pixels ``j`` from
   ``max(0, trunc(centre - support + 0.5))`` up to, not including,
   ``min(source, trunc(centre + support + 0.5))``; ``support`` is the filter's radius (1 for
   bilinear, 2 for bicubic, 3 for Lanczos) times ``stretch = max(scale, 1)``.
2. The weight of ``j`` is ``filter((j - centre + 0.5) * (1 / stretch))``, divided by the sum of
   all weights, added from left to right. Times 2^22 and rounded, half away from zero, it is a
   whole number.
3. A level is ``floor((sum of weight * level + 2^21) / 2^22)``, clipped to its range. The sum
   is exact: 16 bits of level and 24 of weight are far below 2^53, so no order of adding, fused
   operation or number of threads can change it.
4. First along each row, to the output's width; then, from these rounded levels, along each
   column. An axis whose size stays is left alone.

These are the bytes of Pillow 12.3 on x86-64. The bicubic filter is Keys' with a = -1/2 (Keys,
"Cubic convolution interpolation for digital image processing", 1981).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.images.pixels import Pixels, as_array

Interpolation = Literal["bilinear", "bicubic", "lanczos"]
Levels = NDArray[np.uint8] | NDArray[np.uint16]
Floats = NDArray[np.float64]

_WEIGHT_BITS: Final = 22
# Outputs computed by one matrix product: neighbours see much the same source pixels.
_BLOCK: Final = 8
# Rows turned into floating point at a time, so that memory does not grow with the image.
_BAND_SAMPLES: Final = 1 << 18


def resample_levels(
    levels: Levels,
    interpolation: Interpolation,
    *,
    whole_px: tuple[int, int],
    rows: range,
    columns: range,
) -> Levels:
    """Returns a part of the resized whole; see the module for the arithmetic.

    Args:
        levels: ``uint8`` or ``uint16`` [H, W] or [H, W, C].
        interpolation: The filter.
        whole_px: (height, width) of the resized whole.
        rows: Which rows of the whole are wanted; only these are computed.
        columns: Which columns are wanted.

    Returns:
        Levels of the same type, [len(rows), len(columns)] or [len(rows), len(columns), C].

    >>> step = np.array([[0, 0, 255, 255]], np.uint8)
    >>> resample_levels(step, "bilinear", whole_px=(1, 2), rows=range(1), columns=range(2))
    array([[ 36, 219]], dtype=uint8)
    """
    height_px, width_px = levels.shape[:2]
    # Rows that no wanted output sees are not resized along their length.
    down = _axis(height_px, whole_px[0], rows.start, rows.stop, interpolation)
    across = _axis(width_px, whole_px[1], columns.start, columns.stop, interpolation)
    needed = levels[down.first : down.stop]
    planes = [needed] if needed.ndim == 2 else [needed[..., c] for c in range(needed.shape[2])]
    resized: list[Any] = [_down(_across(plane, across), down) for plane in planes]
    return resized[0] if levels.ndim == 2 else np.stack(resized, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Weights [n, outputs] of neighbouring outputs over the source pixels from ``first`` on."""

    first: int
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    """One axis: the source pixels needed, from ``first`` to ``stop``, and how they are mixed.

    ``blocks`` is empty where the axis keeps its size and is only cut.
    """

    first: int
    stop: int
    num_outputs: int
    blocks: tuple[_Block, ...]


@lru_cache(maxsize=64)
def _axis(source: int, target: int, start: int, stop: int, interpolation: Interpolation) -> _Axis:
    if source == target:
        return _Axis(start, stop, stop - start, ())
    firsts, lasts, weights = _weights(source, target, start, stop, interpolation)
    blocks = []
    for begin in range(0, len(firsts), _BLOCK):
        low, high = firsts[begin], int(lasts[begin : begin + _BLOCK].max())
        members = range(begin, min(begin + _BLOCK, len(firsts)))
        dense = np.zeros((high - low, len(members)))
        for column, output in enumerate(members):
            count = lasts[output] - firsts[output]
            offset = firsts[output] - low
            dense[offset : offset + count, column] = weights[output, :count]
        blocks.append(_Block(int(low - firsts.min()), dense))
    return _Axis(int(firsts.min()), int(lasts.max()), len(firsts), tuple(blocks))


def _weights(
    source: int, target: int, start: int, stop: int, interpolation: Interpolation
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Returns for outputs ``start`` to ``stop`` the first and last source pixel and weights."""
    radius, shape = _FILTERS[interpolation]
    scale = source / target
    stretch = max(scale, 1.0)
    support = radius * stretch
    centres = (np.arange(start, stop) + 0.5) * scale
    firsts = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    lasts = np.minimum((centres + support + 0.5).astype(np.int64), source)
    positions = firsts[:, None] + np.arange(int((lasts - firsts).max()))
    values = shape(np.abs((positions - centres[:, None] + 0.5) * (1.0 / stretch)))
    values[positions >= lasts[:, None]] = 0.0
    # A running sum adds from left to right; a plain sum would add in pairs.
    scaled = values / np.cumsum(values, axis=1)[:, -1:] * float(1 << _WEIGHT_BITS)
    return firsts, lasts, np.where(scaled < 0, np.ceil(scaled - 0.5), np.floor(scaled + 0.5))


def _across(plane: Levels, axis: _Axis) -> Levels:
    """Resamples each row of [H, W]."""
    if not axis.blocks:
        return plane[:, axis.first : axis.stop]
    output = np.empty((len(plane), axis.num_outputs), plane.dtype)
    band = max(1, _BAND_SAMPLES // max(1, axis.stop - axis.first))
    for top in range(0, len(plane), band):
        part = plane[top : top + band, axis.first : axis.stop].astype(np.float64)
        for number, block in enumerate(axis.blocks):
            seen = part[:, block.first : block.first + len(block.weights)]
            begin = number * _BLOCK
            target = output[top : top + band, begin : begin + _BLOCK]
            target[...] = _rounded(seen @ block.weights, plane.dtype)
    return output


def _down(plane: Levels, axis: _Axis) -> Levels:
    """Resamples each column of [H, W], whose first row is ``axis.first``."""
    if not axis.blocks:
        return plane
    output = np.empty((axis.num_outputs, plane.shape[1]), plane.dtype)
    for number, block in enumerate(axis.blocks):
        seen = plane[block.first : block.first + len(block.weights)].astype(np.float64)
        begin = number * _BLOCK
        output[begin : begin + _BLOCK] = _rounded(block.weights.T @ seen, plane.dtype)
    return output


def _rounded(sums: Floats, dtype: np.dtype[Any]) -> Floats:
    sums += float(1 << (_WEIGHT_BITS - 1))
    sums *= 2.0**-_WEIGHT_BITS
    np.floor(sums, out=sums)
    return np.clip(sums, 0, np.iinfo(dtype).max, out=sums)


def _bilinear(distance: Floats) -> Floats:
    return np.where(distance < 1, 1.0 - distance, 0.0)


def _bicubic(x: Floats) -> Floats:
    inner = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
    outer = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


def _lanczos(distance: Floats) -> Floats:
    return np.where(distance < 3, _sinc(distance) * _sinc(distance / 3.0), 0.0)


def _sinc(x: Floats) -> Floats:
    """Returns ``sin(πx) / πx``, the sine by its own series: a library's differs by machine."""
    nearest = np.floor(x + 0.5)
    angle = (x - nearest) * math.pi
    square = angle * angle
    sine = np.zeros_like(angle)
    for power in range(21, 1, -2):  # 1 - a²/(2·3) (1 - a²/(4·5) (1 - ...))
        sine = (1.0 + sine) * -square / float(power * (power - 1))
    sine = angle * (1.0 + sine)
    sine = np.where(nearest % 2 == 1, -sine, sine)
    return np.where(x == 0, 1.0, sine / np.where(x == 0, 1.0, x * math.pi))


_FILTERS: Final[dict[Interpolation, tuple[float, Callable[[Floats], Floats]]]] = {
    "bilinear": (1.0, _bilinear),
    "bicubic": (2.0, _bicubic),
    "lanczos": (3.0, _lanczos),
}


Fit = Literal["squash", "crop", "pad"]
"""How another aspect ratio is met: distorted, cut at the centre, or filled up."""

_DEEP_WHITE: Final = 65_535


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """An image resized as a whole, and the part of it that is kept.

    Attributes:
        whole_px: (height, width) of the resized whole.
        upper_px: First row that is kept.
        left_px: First column that is kept.
        height_px: Number of rows kept.
        width_px: Number of columns kept.
    """

    whole_px: tuple[int, int]
    upper_px: int
    left_px: int
    height_px: int
    width_px: int


def plan_resize(
    height_px: int,
    width_px: int,
    *,
    to_px: tuple[int, int],
    fit: Fit,
    crop_fraction: float = 1.0,
) -> ResizePlan:
    """Plans the way from an image of one size to an output of another.

    The image is resized to ``to_px / crop_fraction`` (stretched, covering or contained),
    and of that at most the central ``to_px`` is kept, as timm's evaluation does. With
    ``"pad"`` less than ``to_px`` may come out.

    Args:
        height_px: Height of the image.
        width_px: Width of the image.
        to_px: (height, width) of the output.
        fit: ``"squash"`` distorts, ``"crop"`` covers the output, ``"pad"`` is contained.
        crop_fraction: Share of each side that the centre crop keeps.

    >>> plan_resize(100, 300, to_px=(50, 50), fit="crop")
    ResizePlan(whole_px=(50, 150), upper_px=0, left_px=50, height_px=50, width_px=50)
    """
    whole_height, whole_width = (int(side / crop_fraction) for side in to_px)
    if fit != "squash":
        # Exact integer comparison: is the image, relative to the output, the taller one?
        is_taller = height_px * whole_width > width_px * whole_height
        if is_taller == (fit == "crop"):
            whole_height = max(1, height_px * whole_width // width_px)
        else:
            whole_width = max(1, width_px * whole_height // height_px)
    rows, columns = min(whole_height, to_px[0]), min(whole_width, to_px[1])
    return ResizePlan(
        whole_px=(whole_height, whole_width),
        upper_px=round((whole_height - rows) / 2),
        left_px=round((whole_width - columns) / 2),
        height_px=rows,
        width_px=columns,
    )


def resample(pixels: Pixels, plan: ResizePlan, interpolation: Interpolation) -> NDArray[Any]:
    """Carries out a plan: ``uint8`` or ``float32`` [h, w] or [h, w, 3], as the image was.

    Deep images are resampled in 65,536 levels, by the arithmetic of the 256; what bicubic or
    Lanczos overshoots is clipped to [0, 1], as 8-bit arithmetic clips to [0, 255].
    """
    levels = as_array(pixels)
    is_deep = levels.dtype != np.uint8
    if is_deep:
        levels = np.rint(levels * np.float32(_DEEP_WHITE)).astype(np.uint16)
    kept = resample_levels(
        levels,
        interpolation,
        whole_px=plan.whole_px,
        rows=range(plan.upper_px, plan.upper_px + plan.height_px),
        columns=range(plan.left_px, plan.left_px + plan.width_px),
    )
    return kept / np.float32(_DEEP_WHITE) if is_deep else kept
