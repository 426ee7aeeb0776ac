"""Decodes bytes or a path into an upright image. Everything that reads pixels calls this."""

from __future__ import annotations

import os
from dataclasses import replace

from foveal.errors import ImageError
from foveal.images.formats import format_of
from foveal.images.frames import FrameChoice, check_frame_choice
from foveal.images.guarded import Request, decode_guarded
from foveal.images.ordinary import count_ordinary, decode_ordinary
from foveal.images.pixels import MAX_PIXELS, DecodedImage, Raster
from foveal.images.reading import FileContent, read_content
from foveal.images.window import Window

ImageSource = str | os.PathLike[str] | bytes | FileContent
"""A path, the bytes of a file, or what :func:`foveal.images.read_content` returned."""


def decode(
    source: ImageSource,
    *,
    window: Window | None = None,
    max_pixels: int = MAX_PIXELS,
    reduce_to_px: tuple[int, int] | None = None,
    frame: FrameChoice = "middle",
) -> DecodedImage:
    """Decodes one image file, upright and in one of two forms.

    The formats of :data:`foveal.images.SUPPORTED_FORMATS` are recognised by content, whatever
    the name. EXIF orientation is undone. Palettes, CMYK, YCbCr and 1-bit become RGB or gray;
    what is transparent is shown on white. Of several frames or pages one is taken. 8-bit pixels
    stay ``uint8``; deeper ones (16-bit, float, DICOM gray) are mapped to
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
        frame: Which of several frames or pages, counted from 1; by default the one in the
            middle. A path such as ``a.tif/frame-3`` says so by itself.

    Returns:
        Pixels and facts.

    Raises:
        ImageError: With ``code`` ``missing``, ``unreadable``, ``empty_file``,
            ``not_an_image``, ``unsupported_format``, ``truncated``, ``corrupt``,
            ``too_large`` or ``missing_codec``, and ``path`` as given.
    """
    return decode_raster(
        source,
        window=window or Window(),
        max_pixels=max_pixels,
        reduce_to_px=reduce_to_px,
        frame=frame,
    ).to_decoded()


def count_frames(source: ImageSource) -> int:
    """Returns how many frames or pages of one stack a file holds.

    Raises:
        ImageError: The file cannot be read.
    """
    if isinstance(source, bytes):
        source = FileContent(source)
    content = source if isinstance(source, FileContent) else read_content(source)
    form = format_of(content.data)
    if form.decoder == "pillow":
        return count_ordinary(content.data, form)
    request = Request(Window(), MAX_PIXELS, None, 1)
    return _decode_content(content, request).facts.num_frames


def decode_raster(
    source: ImageSource,
    *,
    window: Window,
    max_pixels: int,
    reduce_to_px: tuple[int, int] | None,
    frame: FrameChoice,
) -> Raster:
    """Decodes like :func:`decode`, to the form that is resized without a copy."""
    check_frame_choice(frame)
    request = Request(window, max_pixels, reduce_to_px, frame)
    if isinstance(source, bytes):
        source = FileContent(source)
    if isinstance(source, FileContent):
        return _decode_content(source, request)
    try:
        return _decode_content(read_content(source, max_pixels=max_pixels), request)
    except ImageError as error:
        error.path = os.fspath(source)
        raise


def _decode_content(content: FileContent, request: Request) -> Raster:
    if content.frame is not None:
        request = replace(request, frame=content.frame)
    raster = None
    if format_of(content.data).is_guarded(content.data):
        raster = decode_guarded(content.data, request)
    return decode_here(content.data, request) if raster is None else raster


def decode_here(data: bytes, request: Request) -> Raster:
    """Decodes in this process, whatever that takes."""
    form = format_of(data)
    if form.decoder == "dicom":
        # pydicom takes a third of a second to import: only who has DICOM pays.
        from foveal.images.dicom import decode_dicom

        return decode_dicom(
            data, window=request.window, max_pixels=request.max_pixels, frame=request.frame
        )
    return decode_ordinary(
        data,
        form,
        window=request.window,
        max_pixels=request.max_pixels,
        reduce_to_px=request.reduce_to_px,
        frame=request.frame,
    )
