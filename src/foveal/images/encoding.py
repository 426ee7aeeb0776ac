"""Encodes images as files: those in memory, to be decoded like all others, and thumbnails.

One decoder, one orientation, one window: an image answers alike whether it was read from a
file, opened with Pillow or cut out of an array. Thumbnails are what reports show.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.errors import UsageError
from foveal.images.decoding import ImageSource, decode_raster
from foveal.images.frames import FrameChoice
from foveal.images.pixels import MAX_PIXELS, height_and_width
from foveal.images.resizing import plan_resize, resample
from foveal.images.window import Window
from foveal.text import printable

if TYPE_CHECKING:
    from PIL import Image


# Modes that PNG stores as they are; the rest is converted as the decoder would.
_STORED_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def is_one_image(images: object) -> bool:
    """Returns whether ``images`` is one image and not several."""
    if isinstance(images, np.ndarray):
        return images.ndim < 4
    single = (str, os.PathLike, bytes, bytearray, memoryview, Mapping)
    is_single = isinstance(images, single) or hasattr(images, "read")
    return is_single or not isinstance(images, Iterable)


def name_of(image: Any, *, number: int) -> str:
    """Returns the path or file name of an image; where it has none, ``"image 1"`` and so on."""
    if isinstance(image, (str, os.PathLike)):
        return printable(os.fspath(image))
    own = getattr(image, "filename", None) or getattr(image, "name", None)
    return printable(own) if isinstance(own, str) and own else f"image {number}"


def as_source(image: Any, *, name: str) -> ImageSource:
    """Returns what the decoder reads.

    Args:
        image: A path; the bytes of a file; an open binary file; a PIL image; or an array
            ``uint8`` [H, W], [H, W, 3], [H, W, 4] or ``uint16`` [H, W].
        name: For the message where it is none of these.

    Raises:
        UsageError: It is none of these, and what to do.
    """
    from PIL import Image

    if isinstance(image, (str, os.PathLike)):
        return Path(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, np.ndarray):
        return _encode(_from_array(image, name))
    if isinstance(image, Image.Image):
        return _encode(image)
    if hasattr(image, "read"):
        content = image.read()
        if not isinstance(content, bytes):
            raise UsageError(
                f"{name} was opened as text.", next_step="Open it in binary mode: open(path, 'rb')."
            )
        return content
    raise UsageError(
        f"{name}: got {type(image).__name__}, expected a path, bytes, an open file, a PIL image "
        "or a NumPy array.",
        next_step="Turn a tensor [C, H, W] in [0, 1] into an array: "
        "(tensor.permute(1, 2, 0) * 255).byte().numpy().",
    )


def _from_array(array: NDArray[Any], name: str) -> Image.Image:
    from PIL import Image

    is_colour = array.ndim == 3 and array.shape[2] in (3, 4)
    is_known = (array.dtype == np.uint8 and (array.ndim == 2 or is_colour)) or (
        array.dtype == np.uint16 and array.ndim == 2
    )
    if not is_known or array.size == 0:
        raise UsageError(
            f"{name}: got an array {array.dtype} {list(array.shape)}, expected uint8 [H, W], "
            "[H, W, 3] or [H, W, 4], or uint16 [H, W], not empty.",
            next_step="Scale floats in [0, 1] by 255 and convert them: "
            "(array * 255).round().astype('uint8'); channels come last.",
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _encode(image: Image.Image) -> bytes:
    """Returns the image as a file without loss; an orientation in its EXIF data is kept."""
    stream = io.BytesIO()
    exif = image.getexif()
    if image.mode in ("F", "I"):
        image.save(stream, "TIFF")
        return stream.getvalue()
    if image.mode not in _STORED_AS_PNG:
        image = image.convert("I;16" if image.mode.startswith("I;16") else "RGB")
    # The lowest level: these bytes live for a moment only.
    image.save(stream, "PNG", compress_level=1, exif=exif)
    return stream.getvalue()


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
