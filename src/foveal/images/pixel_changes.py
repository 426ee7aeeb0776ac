"""What pixels can go through: turned, moved, lit, inverted, erased.

All take and return [C, H, W], C 1 or 3, with values in [0, 1] as they come in; what leaves that
range is cut off by the caller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def warped(
    pixels: Pixels,
    *,
    degrees: float = 0.0,
    scale: float = 1.0,
    down: float = 0.0,
    right: float = 0.0,
    shear_x: float = 0.0,
    shear_y: float = 0.0,
) -> Pixels:
    """Returns [C, H, W] turned, scaled, sheared and moved about its centre.

    ``down`` and ``right`` are shares of the side. Values between pixels are interpolated
    linearly; beyond the edge the image is mirrored, so that no false edge arises.
    """
    from scipy import ndimage

    height, width = pixels.shape[1:]
    angle = np.deg2rad(degrees)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turned @ np.array([[1.0, shear_y], [shear_x, 1.0]]) / scale
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = centre - matrix @ (centre + np.array([down * height, right * width]))
    result = np.empty_like(pixels)
    for plane, output in zip(pixels, result, strict=True):
        ndimage.affine_transform(plane, matrix, offset, output=output, order=1, mode="mirror")
    return result


def brightened(pixels: Pixels, amount: float) -> Pixels:
    """Returns the image with an amount of light added."""
    return pixels + np.float32(amount)


def contrasted(pixels: Pixels, factor: float) -> Pixels:
    """Returns the image with its distances from the mean multiplied."""
    centre = pixels.mean(dtype=np.float64)
    result: Pixels = ((pixels - centre) * factor + centre).astype(np.float32)
    return result


def saturated(pixels: Pixels, factor: float) -> Pixels:
    """Returns the image with its distances from grey multiplied."""
    result: Pixels = (pixels - pixels.mean(0)) * np.float32(factor) + pixels.mean(0)
    return result


def sharpened(pixels: Pixels, factor: float) -> Pixels:
    """Returns the image with what a 3×3 mean takes away multiplied."""
    from scipy import ndimage

    smooth = ndimage.uniform_filter(pixels, size=(1, 3, 3), mode="mirror")
    result: Pixels = smooth + (pixels - smooth) * np.float32(factor)
    return result


def posterised(pixels: Pixels, num_bits: int) -> Pixels:
    """Returns the image in 2^num_bits even levels from 0 to 1."""
    levels = np.float32(2**num_bits)
    result: Pixels = np.minimum(np.floor(pixels * levels), levels - 1) / (levels - 1)
    return result


def solarised(pixels: Pixels, threshold: float) -> Pixels:
    """Returns the image with all levels from the threshold on inverted."""
    return np.where(pixels >= threshold, np.float32(1.0) - pixels, pixels)


def stretched(pixels: Pixels) -> Pixels:
    """Returns the image with its levels stretched to [0, 1]."""
    low, high = float(pixels.min()), float(pixels.max())
    return pixels if high <= low else (pixels - np.float32(low)) / np.float32(high - low)


def equalised(pixels: Pixels) -> Pixels:
    """Returns the image with a flat histogram of 256 levels."""
    levels = (np.clip(pixels, 0, 1) * 255).astype(np.int64)
    counts = np.bincount(levels.ravel(), minlength=256).cumsum()
    least = counts[np.flatnonzero(counts)[0]]
    if counts[-1] == least:
        return pixels
    table = ((counts - least) / (counts[-1] - least)).astype(np.float32)
    result: Pixels = table[levels]
    return result


def erased(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Returns the image with one rectangle of 2 to 20% of it made mid-grey."""
    height, width = pixels.shape[1:]
    share, ratio = random.uniform(0.02, 0.2), np.exp(random.uniform(np.log(0.4), np.log(2.5)))
    rows = int(np.clip(round((share * ratio) ** 0.5 * height), 1, height))
    columns = int(np.clip(round((share / ratio) ** 0.5 * width), 1, width))
    top, left = (int(random.integers(0, n + 1)) for n in (height - rows, width - columns))
    changed = pixels.copy()
    changed[:, top : top + rows, left : left + columns] = 0.5
    return changed


def lit(pixels: Pixels, factor: float) -> Pixels:
    """Returns the image with all light multiplied."""
    return pixels * np.float32(factor)


def hue_turned(pixels: Pixels, turns: float) -> Pixels:
    """Returns [3, H, W] with its hues turned by a share of the colour circle.

    Lightest and darkest of the three channels stay as they are in every pixel, so grey stays grey.
    """
    if len(pixels) != 3:
        return pixels
    high, low = pixels.max(0), pixels.min(0)
    span = high - low
    safe = np.where(span > 0, span, np.float32(1))
    red, green, blue = pixels
    sextant = np.select(
        [high == red, high == green],
        [(green - blue) / safe, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    turned = sextant + np.float32(6 * turns)
    # How far each channel lies above the lowest, as a share of the span: a trapezium over the hue.
    shares = [np.clip(2 - abs((turned - centre + 3) % 6 - 3), 0, 1) for centre in (0, 2, 4)]
    result: Pixels = (low + span * np.stack(shares)).astype(np.float32)
    return result


def square_cut_out(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Returns the image with a square of half its shorter side made mid-grey.

    Its centre lies anywhere, so that it may reach over the edge (DeVries & Taylor 2017, arXiv
    1708.04552).
    """
    height, width = pixels.shape[1:]
    side = max(1, min(height, width) // 2)
    top, left = (int(random.integers(0, length)) - side // 2 for length in (height, width))
    changed = pixels.copy()
    changed[:, max(0, top) : top + side, max(0, left) : left + side] = 0.5
    return changed
