"""Small encoded images for reports."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image

from foveal.errors import UsageError
from foveal.images.decoding import ImageSource, decode_raster
from foveal.images.frames import FrameChoice
from foveal.images.pixels import MAX_PIXELS, height_and_width
from foveal.images.resizing import plan_resize, resample
from foveal.images.window import Window

THUMBNAIL_MEDIA_TYPE: Final = "image/webp"
_QUALITY: Final = 78


def thumbnail(
    source: ImageSource,
    *,
    size_px: int,
    window: Window | None = None,
    frame: FrameChoice = "middle",
) -> bytes:
    """Returns a small WebP of an image file, upright, without any metadata.

    Args:
        source: A path, or the bytes of a file.
        size_px: Length of the longest side; a smaller image is not enlarged.
        window: How deep levels become grey; ``Window()`` when ``None``.
        frame: Which of several frames.

    Returns:
        The bytes of a WebP file (:data:`THUMBNAIL_MEDIA_TYPE`), always the same ones for
        the same image.

    Raises:
        ImageError: As :func:`foveal.images.decode` raises it.
        UsageError: ``size_px`` is no positive number.
    """
    if size_px < 1:
        raise UsageError(
            f"size_px: got {size_px}, expected a positive number", next_step="Use 128."
        )
    raster = decode_raster(
        source,
        window=window or Window(),
        max_pixels=MAX_PIXELS,
        reduce_to_px=(2 * size_px, 2 * size_px),
        frame=frame,
    )
    pixels = raster.pixels
    height_px, width_px = height_and_width(pixels)
    longest_px = max(height_px, width_px)
    if longest_px > size_px:
        to_px = (
            max(1, round(height_px * size_px / longest_px)),
            max(1, round(width_px * size_px / longest_px)),
        )
    else:
        to_px = (height_px, width_px)
    kept = resample(pixels, plan_resize(height_px, width_px, to_px=to_px, fit="squash"), "bicubic")
    if kept.dtype != np.uint8:
        kept = np.rint(kept * 255.0).astype(np.uint8)
    stream = io.BytesIO()
    # An image made from bare pixels has no EXIF, no profile and no comment to pass on.
    Image.fromarray(kept).convert("RGB").save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()
