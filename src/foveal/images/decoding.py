"""Bytes or a path become an upright image: the one door to pixels."""

from __future__ import annotations

import os

from foveal.errors import ImageError
from foveal.images.formats import identify
from foveal.images.ordinary import decode_ordinary
from foveal.images.pixels import MAX_PIXELS, DecodedImage, Raster
from foveal.images.reading import read_bytes
from foveal.images.window import Window

ImageSource = str | os.PathLike[str] | bytes
"""A path, or the content of a file."""


def decode(
    source: ImageSource,
    *,
    window: Window | None = None,
    max_pixels: int = MAX_PIXELS,
    reduce_to_px: tuple[int, int] | None = None,
) -> DecodedImage:
    """Decodes one image file, upright and in one of two forms.

    JPEG, PNG, TIFF, WebP, BMP, GIF and DICOM are recognised by content, whatever the name.
    EXIF orientation is undone. Palettes, CMYK, YCbCr and 1-bit become RGB or gray; what is
    transparent is shown on white. Of several frames or pages the first is taken. 8-bit
    pixels stay ``uint8``; deeper ones (16-bit, float, DICOM gray) are mapped to
    ``float32`` [0, 1] by ``window``. Colour profiles are not applied.

    An image is decoded whole or not at all: a truncated file is an error, also where the
    host program told Pillow otherwise. A path and its bytes give identical results.

    Args:
        source: A path, or the bytes of a file.
        window: How deep levels become [0, 1]; ``Window()`` when ``None``.
        max_pixels: Refuse larger images before decoding. Beyond twice
            ``PIL.Image.MAX_IMAGE_PIXELS`` Pillow refuses of its own accord.
        reduce_to_px: (height, width) after orientation. A JPEG at least twice as large is
            decoded at 1/2, 1/4 or 1/8 scale, never below this size, which saves most of
            the time and memory. Other formats ignore it.

    Returns:
        Pixels and facts.

    Raises:
        ImageError: With ``code`` ``missing``, ``unreadable``, ``empty_file``,
            ``not_an_image``, ``unsupported_format``, ``truncated``, ``corrupt``,
            ``too_large`` or ``missing_codec``, and ``path`` as given.
    """
    return decode_raster(
        source, window=window or Window(), max_pixels=max_pixels, reduce_to_px=reduce_to_px
    ).to_decoded()


def decode_raster(
    source: ImageSource,
    *,
    window: Window,
    max_pixels: int,
    reduce_to_px: tuple[int, int] | None,
) -> Raster:
    """Decodes like :func:`decode`, to the form that is resized without a copy."""
    if isinstance(source, bytes):
        return _decode_bytes(source, window, max_pixels, reduce_to_px)
    try:
        data = read_bytes(source, max_pixels=max_pixels)
        return _decode_bytes(data, window, max_pixels, reduce_to_px)
    except ImageError as error:
        error.path = os.fspath(source)
        raise


def _decode_bytes(
    data: bytes, window: Window, max_pixels: int, reduce_to_px: tuple[int, int] | None
) -> Raster:
    format_name = identify(data)
    if format_name == "DICOM":
        # pydicom takes a third of a second to import: only who has DICOM pays.
        from foveal.images.dicom import decode_dicom

        return decode_dicom(data, window=window, max_pixels=max_pixels)
    return decode_ordinary(
        data, format_name, window=window, max_pixels=max_pixels, reduce_to_px=reduce_to_px
    )
