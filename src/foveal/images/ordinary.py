"""Formats that Pillow and its plug-ins decode; ``foveal.images.formats`` lists them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from PIL import Image, ImageFile, UnidentifiedImageError

from foveal.errors import ImageError
from foveal.images import bit_depth
from foveal.images.completeness import require_all_rows
from foveal.images.cost import bytes_per_pixel, require_affordable, require_few_scans
from foveal.images.faults import corrupt, too_large, truncated, unsupported
from foveal.images.formats import ImageFormat
from foveal.images.frames import FrameChoice, frame_index, frame_note, reachable_index
from foveal.images.jpeg import JpegHeader, read_jpeg_header, with_end_marker
from foveal.images.pixels import ImageFacts, Pixels, Raster, require_size
from foveal.images.quarantine import ANY_ERROR, quarantine
from foveal.images.tiff import stack_pages, with_first_page
from foveal.images.window import Window

_EXIF_ORIENTATION: Final = 0x0112
_SAMPLE_FORMAT, _SIGNED = 339, 2
_UNDO: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BAND_ROWS: Final = 256
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})


def decode_ordinary(
    data: bytes,
    form: ImageFormat,
    *,
    window: Window,
    max_pixels: int,
    reduce_to_px: tuple[int, int] | None,
    frame: FrameChoice,
) -> Raster:
    """Decodes a file of one of Pillow's formats; see :func:`foveal.images.decode`.

    Only the plug-in of the format that the first bytes announce is given the data.

    Raises:
        ImageError: As :func:`foveal.images.decode`, without a path.
    """
    with quarantine():
        try:
            header, pages, notes = None, _Pages(1, 0), []
            # What can be known without a decoder is looked at before one is given the data.
            if form.name == "JPEG":
                header = read_jpeg_header(data)
                require_size(header.width_px, header.height_px, max_pixels=max_pixels)
                require_few_scans(header.num_scans, header.width_px * header.height_px)
                if not header.has_end:
                    data = with_end_marker(data, header)
                    notes.append("The end marker is missing; the image is all there.")
            if form.is_checked_first:
                form.check(data)
            form.require_codec()
            if form.canvas_px is not None:
                require_size(*form.canvas_px(data), max_pixels=max_pixels)
            if form.several == "pages":
                data, pages = _turn_to_page(data, frame, notes)
            image = form.opened(data)
            require_size(*image.size, max_pixels=max_pixels)
            if not form.is_checked_first:
                form.check(data)
            if form.several != "pages":
                pages = _find_frame(image, data, form, frame)
            _require_memory(image, data, form, pages, header, reduce_to_px)
            return _decode(image, data, form, window, reduce_to_px, pages, frame, notes)
        except ImageError:
            raise
        except Image.DecompressionBombError as error:
            raise too_large("the image has more pixels than Pillow allows") from error
        except MemoryError as error:
            raise too_large("there is not enough memory to decode it") from error
        except ANY_ERROR as error:
            raise _reason(error, data, form) from error


def _require_memory(
    image: ImageFile.ImageFile,
    data: bytes,
    form: ImageFormat,
    pages: _Pages,
    header: JpegHeader | None,
    reduce_to_px: tuple[int, int] | None,
) -> None:
    num_pixels = image.width * image.height
    bits = _bits_per_sample(image, data, form)
    is_composed = form.is_composed or (pages.index > 0 and form.several != "pages")
    each = bytes_per_pixel(image, bits=bits, is_composed=is_composed)
    decoded = num_pixels * each
    if header is not None and reduce_to_px is not None:
        shortest = min(image.width // reduce_to_px[1], image.height // reduce_to_px[0])
        decoded //= max(1, 1 << min(3, shortest.bit_length() - 1)) ** 2 if shortest > 1 else 1
    if header is not None and header.is_progressive:  # two bytes a coefficient until the end
        decoded += 2 * num_pixels * header.num_components
    require_affordable(decoded)


@dataclass(frozen=True, slots=True)
class _Pages:
    """How many images of one stack the file holds, and the index of the one to take."""

    count: int
    index: int


def count_ordinary(data: bytes, form: ImageFormat) -> int:
    """Returns how many frames of one stack a file of one of Pillow's formats holds.

    Raises:
        ImageError: The file is damaged.
    """
    with quarantine():
        try:
            if form.several == "pages":
                return len(stack_pages(data)[0])
            if form.several == "views":
                return 1
            return _find_frame(form.opened(data), data, form, 1).count
        except ANY_ERROR as error:
            raise _reason(error, data, form) from error


def _turn_to_page(data: bytes, frame: FrameChoice, notes: list[str]) -> tuple[bytes, _Pages]:
    stack, num_others = stack_pages(data)
    index = frame_index(len(stack), frame)
    if num_others:
        notes.append("The file holds pages of other sizes or forms; the largest are used.")
    if len(stack) + num_others > 1:
        data = with_first_page(data, stack[index])
    return data, _Pages(len(stack), index)


def _find_frame(
    image: ImageFile.ImageFile, data: bytes, form: ImageFormat, frame: FrameChoice
) -> _Pages:
    count = int(getattr(image, "n_frames", 1)) if form.count is None else form.count(data)
    if count == 1 or form.several == "views":
        return _Pages(count, 0)
    index = frame_index(count, frame)
    if form.name == "PNG" and data[24] > 8:  # the low bytes are read from the first alone
        index = 0
    return _Pages(count, reachable_index(index, *image.size))


def _decode(
    image: ImageFile.ImageFile,
    data: bytes,
    form: ImageFormat,
    window: Window,
    reduce_to_px: tuple[int, int] | None,
    pages: _Pages,
    frame: FrameChoice,
    notes: list[str],
) -> Raster:
    stored_mode, bits = image.mode, _bits_per_sample(image, data, form)
    canvas_px = image.width * image.height
    if pages.count > 1 and form.several == "views":
        notes.append("The file holds several images; the first is used.")
    elif pages.count > 1:
        notes.append(frame_note(pages.count, pages.index, frame, form.several.removesuffix("s")))
    if pages.index and form.several != "pages":
        image.seek(pages.index)
        require_size(*image.size, max_pixels=canvas_px)  # a frame may not widen the canvas
    orientation = 1
    full_size = image.size
    if form.name == "JPEG":  # a reduced decoding has to know before, what lies sideways
        orientation = _orientation(image, notes)
        if reduce_to_px is not None:
            height_px, width_px = reduce_to_px
            is_sideways = orientation in _SIDEWAYS
            image.draft(None, (height_px, width_px) if is_sideways else (width_px, height_px))
    elif form.name == "TIFF":  # Pillow turns a TIFF upright by itself, and forgets the tag
        orientation = _orientation(image, notes)
    second = bit_depth.decode_low_bytes(image, lambda: form.opened(data))
    image.load()
    if form.name == "PNG" and not pages.index:
        require_all_rows(image, data)
    if form.name not in ("JPEG", "TIFF"):
        orientation = _orientation(image, notes)
    upright: Image.Image = image
    if form.name != "TIFF" and orientation in _UNDO:
        upright = image.transpose(_UNDO[orientation])
        if second is not None:
            second = replace(second, image=second.image.transpose(_UNDO[orientation]))
    width_px, height_px = upright.size
    if form.name == "JPEG":  # what was decoded may be a reduced image
        width_px, height_px = full_size[::-1] if orientation in _SIDEWAYS else full_size
    pixels: Pixels
    levels = None
    if second is not None or bit_depth.is_deep_gray(image):
        stretched = (
            bit_depth.stretch_gray(upright, image, window)
            if second is None
            else bit_depth.stretch_colour(upright, second, image, window)
        )
        pixels, levels = stretched.values, stretched.summary
        notes.extend(stretched.notes)
    else:
        if bits > 8:
            notes.append(f"Stored with {bits} bits a channel, read with 8.")
        if _is_signed(image) and upright.mode in ("L", "RGB"):
            notes.append("Signed 8-bit levels were raised by 128.")
            shift = [level ^ 128 for level in range(256)] * len(upright.getbands())
            upright = upright.point(shift)
        pixels = _as_gray_or_rgb(upright, notes)
    facts = ImageFacts(
        format=form.name,
        width_px=width_px,
        height_px=height_px,
        stored_mode=stored_mode,
        bits_per_sample=bits,
        num_frames=pages.count,
        frame=pages.index + 1,
        orientation=orientation,
        levels=levels,
        notes=tuple(notes),
    )
    return Raster(pixels, facts)


def _as_gray_or_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Returns mode L or RGB; what is transparent is shown on white."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in ("LAB", "HSV"):
        raise unsupported(f"an image in the colour space {image.mode}")
    is_gray = image.mode in ("1", "L", "LA", "La")
    opaque_mode = "L" if is_gray else "RGB"
    if image.mode == "CMYK":
        notes.append("CMYK was converted to RGB without its colour profile.")
    if not image.has_transparency_data:
        return image.convert(opaque_mode)
    if image.mode == "1":  # a transparent colour is only understood among 256
        image = image.convert("L")
    ground = Image.new(opaque_mode, image.size, "white")
    is_opaque = True
    for top in range(0, image.height, _BAND_ROWS):  # several copies of a band, none of the whole
        box = (0, top, image.width, min(image.height, top + _BAND_ROWS))
        layered = image.crop(box).convert("LA" if is_gray else "RGBA")
        alpha = layered.getchannel("A")
        is_opaque = is_opaque and alpha.getextrema() == (255, 255)
        ground.paste(layered.convert(opaque_mode), box, mask=alpha)
    if not is_opaque:
        notes.append("Transparent pixels are shown on white.")
    return ground


def _orientation(image: ImageFile.ImageFile, notes: list[str]) -> int:
    try:
        stored: Any = image.getexif().get(_EXIF_ORIENTATION, 1)
        return stored if isinstance(stored, int) and stored in _UNDO else 1
    except ANY_ERROR:  # a broken EXIF block does no harm to the image
        notes.append("The EXIF block cannot be read; the image is taken as upright.")
        return 1


def _bits_per_sample(image: ImageFile.ImageFile, data: bytes, form: ImageFormat) -> int:
    if form.name == "PNG":
        return data[24]
    if form.name == "TIFF":
        bits: Any = getattr(image, "tag_v2", {}).get(258, 1)
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    return 1 if image.mode == "1" else 8


def _is_signed(image: ImageFile.ImageFile) -> bool:
    """Whether the samples of a TIFF are signed, which Pillow overlooks where they have 8 bits."""
    form: Any = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, 1)
    return set(form if isinstance(form, tuple) else (form,)) == {_SIGNED}


def _reason(error: Exception, data: bytes, form: ImageFormat) -> ImageError:
    """Returns why Pillow gave up: what the structure shows first, then what it said."""
    try:
        form.check(data)
    except ImageError as found:
        return found
    text = str(error)
    if "truncated" in text or isinstance(error, EOFError):
        return truncated(f"the {form.name} data ends before the image does")
    if "unknown pixel mode" in text or (
        form.name == "TIFF" and isinstance(error, UnidentifiedImageError)
    ):
        return unsupported(f"a {form.name} with an unusual arrangement of samples")
    return corrupt(f"the {form.name} data cannot be decoded")
