"""Estimates the memory that decoding will take at its peak, before it begins.

A PNG of 16-bit RGBA with a small file takes forty bytes a pixel while it is decoded and
stretched; a gray one takes four. So the limit is on their product. The figures are measured
peaks of memory (``tests/images/test_cost.py`` holds them to it).
"""

from __future__ import annotations

from typing import Final

from PIL import Image

from foveal.images.faults import too_large

MAX_WORKING_BYTES: Final = 800_000_000
"""Most memory that one image may take while it is decoded."""

_MAX_SCANNED_PIXELS: Final = 1 << 30
_OF_MODES: Final = {"1": 4, "L": 4, "P": 14, "PA": 16, "LA": 14, "La": 14, "RGB": 8, "RGBA": 16}
_OF_OTHER_MODES: Final = 12
_OF_DEEP_GRAY: Final = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16, "I": 24, "F": 24}
_OF_DEEP_COLOUR: Final = 44
_OF_ALPHA_KEY: Final = 12
_OF_COMPOSING: Final = 14


def bytes_per_pixel(image: Image.Image, *, bits: int, is_composed: bool) -> int:
    """Returns how many bytes a pixel of an opened image takes while it is decoded.

    Args:
        image: Opened, not loaded.
        bits: A sample, as stored.
        is_composed: Whether a canvas is composed beside it, of itself or of frames before it.
    """
    if image.mode in _OF_DEEP_GRAY:
        return _OF_DEEP_GRAY[image.mode]
    if bits > 8:
        return _OF_DEEP_COLOUR
    total = _OF_MODES.get(image.mode, _OF_OTHER_MODES)
    if "transparency" in image.info:
        total += _OF_ALPHA_KEY
    if is_composed:
        total += _OF_COMPOSING
    return total


def require_affordable(num_bytes: int) -> None:
    """Refuses what would take more than :data:`MAX_WORKING_BYTES`.

    Raises:
        ImageError: ``too_large``.
    """
    if num_bytes > MAX_WORKING_BYTES:
        raise too_large(
            f"decoding it would take about {num_bytes / 1e9:.1f} GB of memory, more than the "
            f"{MAX_WORKING_BYTES / 1e9:.1f} GB allowed"
        )


def require_few_scans(num_scans: int, num_pixels: int) -> None:
    """Refuses a JPEG whose image is coded in so many scans that it takes long to decode.

    Raises:
        ImageError: ``too_large``.
    """
    if num_scans * num_pixels > _MAX_SCANNED_PIXELS and num_scans > 1:
        raise too_large(
            f"its {num_pixels:,} pixels are coded in {num_scans:,} scans, which would take very "
            "long to decode"
        )
