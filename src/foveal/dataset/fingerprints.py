"""What one image looks like, in a kilobyte: enough to find its copies among thousands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIGNATURE_PX = 32
_HASH_PX = 8
_BAND_PIXELS = 1 << 22


Pixels = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """See the fields of the same names in ``ImageRecord``."""

    pixel_digest: str
    perceptual_hash: bytes
    signature: bytes
    grey_mean: float
    grey_std: float


def fingerprint(pixels: Pixels) -> Fingerprint:
    """Sums up a decoded image.

    Args:
        pixels: [H, W] or [H, W, 3]; uint8, or float32 in [0, 1].
    """
    if pixels.ndim == 3 and _is_grey(pixels):
        # The same image stored in grey and in colour is the same image.
        pixels = pixels[..., 0]
    digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    grey, white = _to_grey(pixels)
    mean, std = _mean_and_std(grey)
    signature = _stretched(_shrunk(grey))
    return Fingerprint(
        pixel_digest=digest.hexdigest(),
        perceptual_hash=hash_signatures(signature[None])[0].tobytes(),
        signature=signature.tobytes(),
        grey_mean=mean / white,
        grey_std=std / white,
    )


def hash_signatures(signatures: Pixels) -> NDArray[np.uint8]:
    """Returns the perceptual hash of each signature: the signs of its low frequencies.

    The 8 × 8 lowest coefficients of the cosine transform, each compared with their median
    (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions",
    section 3.2, without its smoothing, which the small signature makes needless).

    Args:
        signatures: [N, S, S], uint8 or float32, with S of 8 or more.

    Returns:
        uint8 [N, 8], one bit a coefficient.
    """
    basis = _cosine_basis(signatures.shape[1])
    coefficients = basis @ signatures.astype(np.float32) @ basis.T
    flat = coefficients.reshape(len(signatures), -1)
    # The first coefficient is the mean brightness, which says nothing about the image.
    flat[:, 0] = 0.0
    bits = flat > np.median(flat[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    return np.packbits(bits, axis=1)


@cache
def _cosine_basis(size_px: int) -> NDArray[np.float32]:
    """The first rows of the type-II cosine transform, [8, S]."""
    frequency = np.arange(_HASH_PX)[:, None]
    position = np.arange(size_px)[None, :] + 0.5
    return np.cos(np.pi * frequency * position / size_px).astype(np.float32)


def _is_grey(pixels: Pixels) -> bool:
    # A few rows decide nearly always; all are looked at only when those were grey.
    for rows in (pixels[:: max(1, len(pixels) // 8)], pixels):
        red, green, blue = rows[..., 0], rows[..., 1], rows[..., 2]
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            return False
    return True


def _to_grey(pixels: Pixels) -> tuple[Image.Image, float]:
    """Returns the image in grey and the level that is white."""
    if pixels.dtype == np.uint8:
        if pixels.ndim == 2:
            return Image.fromarray(pixels), 255.0
        height, width = pixels.shape[:2]
        grey = Image.new("L", (width, height))
        step = max(1, _BAND_PIXELS // width)
        for top in range(0, height, step):  # Pillow takes four bytes a pixel on the way
            grey.paste(Image.fromarray(pixels[top : top + step]).convert("L"), (0, top))
        return grey, 255.0
    if pixels.ndim == 3:
        # ITU-R BT.601 luma, which Pillow uses for 8-bit images, too.
        pixels = (pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)
    return Image.fromarray(pixels), 1.0


def _mean_and_std(grey: Image.Image) -> tuple[float, float]:
    """Returns mean and deviation of the levels, without eight bytes a pixel for them."""
    if grey.mode == "L":
        counts, levels = np.array(grey.histogram(), np.float64), np.arange(256.0)
        mean = float(counts @ levels / counts.sum())
        return mean, float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
    rows = np.asarray(grey)
    mean = float(rows.mean(dtype=np.float64))
    step = max(1, _BAND_PIXELS // grey.width)
    squares = sum(
        float(((rows[top : top + step].astype(np.float64) - mean) ** 2).sum())
        for top in range(0, len(rows), step)
    )
    return mean, float(np.sqrt(squares / rows.size))


def _shrunk(grey: Image.Image) -> NDArray[np.float32]:
    """Returns the image in 32 × 32 levels, soft enough to be compared at shifted positions.

    The triangle filter and the blur of one pixel leave no detail that the small grid could
    not carry; with sharper ones, a copy that is cropped by 2% no longer resembles itself.
    """
    factor = min(grey.size) // (8 * SIGNATURE_PX)
    if factor > 1:
        grey = grey.reduce(factor)
    size = (SIGNATURE_PX, SIGNATURE_PX)
    small = np.asarray(grey.convert("F").resize(size, Image.Resampling.BILINEAR))
    blur = _blur_matrix()
    blurred: NDArray[np.float32] = blur @ small @ blur.T
    return blurred


@cache
def _blur_matrix() -> NDArray[np.float32]:
    """Gaussian weights with a deviation of one pixel, cut at the border, [32, 32]."""
    position = np.arange(SIGNATURE_PX)
    weights = np.exp(-0.5 * (position[:, None] - position[None, :]) ** 2.0)
    weights /= weights.sum(axis=1, keepdims=True)
    narrow: NDArray[np.float32] = weights.astype(np.float32)
    return narrow


def _stretched(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spreads the levels over all 256, so that dim images lose nothing to rounding."""
    low, high = float(levels.min()), float(levels.max())
    # Blurring rounds: what is flat differs by a few units in the last place.
    if high - low <= 1e-5 * max(abs(low), abs(high)):
        return np.full(levels.shape, 128, dtype=np.uint8)
    stretched: NDArray[np.uint8] = np.rint((levels - low) * (255.0 / (high - low))).astype(np.uint8)
    return stretched
