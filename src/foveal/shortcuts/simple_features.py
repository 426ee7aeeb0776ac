"""Simple features of an image and its file, which do not say what the image shows.

Each family is a few numbers an image: the colour and brightness of the whole, the outermost
part alone, a pattern that stands at the same pixels there, and the file's own properties. A
classifier of these alone has nothing of what an image shows; where it is as good as the
network, the network may rest on the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.dataset import ImageRecord

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

MARGINS = (0.07, 0.15, 0.25)
"""Depths of the border that are looked at alone, as shares of height and width."""

_LEVELS = (5, 25, 50, 75, 95)
_SEGMENTS = 6
_PATTERN_PX = 96
_NUM_PATTERNS = 8
_LEAST_PATTERN = 1.15  # of the median eigenvalue: what noise alone stays below
_BLUR_PX = 9
_LEAST_SPREAD = 1e-3  # a quarter of a grey level: below, there is no detail
_LEAST_SHARE = 0.02
HEAD_BYTES = 1 << 16
"""How much of a file is read for its properties: what stands before the image."""


def colour_of(levels: Floats) -> list[float]:
    """Returns the colour and brightness of an image [H, W, 3] in [0, 1], wherever they lie."""
    grey = levels.mean(2)
    saturation = levels.max(2) - levels.min(2)
    return [
        *levels.mean((0, 1)),
        *levels.std((0, 1)),
        *np.percentile(grey, _LEVELS),
        float(saturation.mean()),
        float(saturation.std()),
    ]


def border_of(levels: Floats, margin: float) -> list[float]:
    """Returns the colour and texture of segments along the four sides, nothing of the inside."""
    rows, columns = (max(1, round(margin * length)) for length in levels.shape[:2])
    strips = (
        levels[:rows],
        levels[-rows:],
        levels[:, :columns].transpose(1, 0, 2),
        levels[:, -columns:].transpose(1, 0, 2),
    )
    found: list[float] = []
    for strip in strips:
        for part in np.array_split(strip, _SEGMENTS, axis=1):
            found += [*part.mean((0, 1)), float(part.mean(2).std())]
    return found


def texture_of(levels: Floats) -> Rows:
    """Returns the fine detail of the outermost quarter, pixel by pixel, [P], about -1 to 1."""
    image = Image.fromarray(levels.mean(2).astype(np.float32))
    grey = np.asarray(image.resize((_PATTERN_PX, _PATTERN_PX), Image.Resampling.BOX))
    kernel = np.ones(_BLUR_PX) / _BLUR_PX
    smooth = np.pad(grey, _BLUR_PX // 2, mode="edge")
    for axis in (0, 1):
        smooth = np.apply_along_axis(np.convolve, axis, smooth, kernel, mode="valid")
    detail = grey - smooth
    margin = round(MARGINS[-1] * _PATTERN_PX)
    outside = np.ones(grey.shape, np.bool_)
    outside[margin:-margin, margin:-margin] = False
    spread = max(float(detail[outside].std()), _LEAST_SPREAD)
    # Strong edges of what is shown there would otherwise drown a faint pattern.
    texture: Rows = np.tanh(detail[outside] / spread).astype(np.float32)
    return texture


def patterns_of(texture: Rows) -> Rows:
    """Returns how much of each of the strongest common patterns an image has, [N, D].

    Principal components of ``texture`` [N, P] that stand out from the others: what stands at the
    same pixels in many images is among the first, what moves about is spread over all alike.
    """
    centred = texture - texture.mean(0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    stands_out = values > _LEAST_PATTERN * np.median(values)
    kept = np.flatnonzero(stands_out)[:_NUM_PATTERNS]
    scores: Rows = (vectors[:, kept] * np.sqrt(values[kept].clip(0))).astype(np.float32)
    return scores


def properties_of(record: ImageRecord, head: bytes) -> dict[str, float]:
    """Returns what a file is apart from its image: sizes, format, quality, metadata.

    The length of the file is left out: it follows from what the image shows.

    Args:
        record: Of the file.
        head: Its first ``HEAD_BYTES`` bytes.
    """
    width, height = record.width_px or 1, record.height_px or 1
    ending = record.path.rpartition(".")[2] if "." in record.path else ""
    found = {
        "width": math.log(width),
        "height": math.log(height),
        "aspect": math.log(width / height),
        "bits": float(record.bits_per_sample or 0),
        f"format {record.format}": 1.0,
        f"mode {record.stored_mode}": 1.0,
        f"ending {ending}": 1.0,
    }
    if head.startswith(b"\xff\xd8"):
        found |= _jpeg_properties(head)
    elif head.startswith(b"\x89PNG"):
        found |= _png_properties(head)
    return found


def as_table(rows: Sequence[Mapping[str, float]]) -> Rows:
    """Returns properties [N, D], with a column for each that is not the same or rare."""
    counts = Counter(name for row in rows for name in row)
    least = max(2, round(_LEAST_SHARE * len(rows)))
    names = sorted(name for name, count in counts.items() if count >= least)
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows], np.float32)
    return table.reshape(len(rows), len(names))


def standardised(table: NDArray[np.floating]) -> Rows:
    """Returns columns [N, D] with mean 0 and standard deviation 1; constant ones are left out."""
    values = np.asarray(table, np.float64)
    spread = values.std(0)
    kept = spread > 1e-9
    scaled: Rows = ((values[:, kept] - values[:, kept].mean(0)) / spread[kept]).astype(np.float32)
    return scaled


def _jpeg_properties(head: bytes) -> dict[str, float]:
    """Returns segments and quantisation by the markers of ITU-T T.81, annex B."""
    found: dict[str, float] = {}
    position = 2
    while position + 4 <= len(head) and head[position] == 0xFF and head[position + 1] != 0xDA:
        marker = head[position + 1]
        length = int.from_bytes(head[position + 2 : position + 4], "big")
        body = head[position + 4 : position + 2 + length]
        if marker == 0xDB:  # a quantisation table: the coarser, the lower the quality
            found[f"quantisation {body[0] & 15 if body else 0}"] = math.log1p(sum(body[1:65]))
        elif marker in (0xC0, 0xC1, 0xC2):
            found[f"frame {marker:X}"] = 1.0
            found["sampling"] = float(body[7]) if len(body) > 7 else 0.0
        elif marker >= 0xE0:
            found[f"segment {marker:X} {body[:4]!r}"] = math.log1p(length)
        position += 2 + max(2, length)
    return found


def _png_properties(head: bytes) -> dict[str, float]:
    """Returns the chunks that stand before the image (PNG, third edition, section 5)."""
    found: dict[str, float] = {}
    position = 8
    while position + 8 <= len(head):
        length = int.from_bytes(head[position : position + 4], "big")
        kind = head[position + 4 : position + 8]
        if kind == b"IDAT":
            break
        found[f"chunk {kind!r}"] = math.log1p(length)
        position += 12 + length
    return found
