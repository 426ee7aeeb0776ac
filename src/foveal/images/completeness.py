"""Is the whole file there? Judged from its structure, before any pixel is decoded.

Decoders differ in how they take a missing end: some raise, some paint the rest grey. What
is checked here does not depend on them. Each format says where it ends: JPEG and GIF by a
closing marker, PNG by chunks with checksums, WebP and BMP by a length, TIFF by offsets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from foveal.errors import ImageError
from foveal.images.formats import Format, unsupported


def require_complete(data: bytes, format_name: Format) -> None:
    """Refuses a file whose structure shows that it was cut short or damaged.

    Raises:
        ImageError: ``truncated``, ``corrupt``, or ``unsupported_format`` for variants
            that would otherwise decode to something else than the picture.
    """
    check = _CHECKS.get(format_name)
    if check is not None:
        check(data)


def truncated(what: str) -> ImageError:
    """Returns the error for a file that ends too early."""
    return ImageError(
        f"the file is cut short: {what}",
        code="truncated",
        next_step="Copy it again from its source.",
    )


def corrupt(what: str) -> ImageError:
    """Returns the error for a file that is all there and yet broken."""
    return ImageError(
        f"the file is damaged: {what}",
        code="corrupt",
        next_step="Copy it again from its source, or open and save it with an image editor.",
    )


# --- JPEG: ITU-T T.81, annex B --------------------------------------------------------

_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})


def _check_jpeg(data: bytes) -> None:
    position = 2
    while True:
        if position + 4 > len(data):
            raise truncated("a JPEG that ends within its header")
        if data[position] != 0xFF:
            raise corrupt("a JPEG segment does not begin where the one before it ends")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _START_OF_SCAN:
            break
        if marker == _END_OF_IMAGE:
            raise corrupt("a JPEG without a picture")
        if marker in _FRAME_MARKERS:
            if marker not in _READABLE_FRAMES:
                raise unsupported("a lossless or hierarchical JPEG")
            if len(data) > position + 4 and data[position + 4] != 8:
                raise unsupported(f"a JPEG with {data[position + 4]} bits a sample")
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    # Coded data never holds FF D9, so the end marker cannot be mistaken. Searching from the
    # back also finds it before the junk that some cameras append.
    if data.rfind(b"\xff\xd9", position) < 0:
        raise truncated("a JPEG without its end marker")


# --- PNG: ISO/IEC 15948 -----------------------------------------------------------------


def _check_png(data: bytes) -> None:
    position, view = 8, memoryview(data)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise truncated(f"a PNG that ends within its {_chunk_name(kind)} chunk")
        is_critical = not kind[0] & 0x20
        stored = int.from_bytes(view[end - 4 : end], "big")
        if is_critical and zlib.crc32(view[position + 4 : end - 4]) != stored:
            raise corrupt(f"the checksum of a PNG {_chunk_name(kind)} chunk is wrong")
        if kind == b"IEND":
            return
        position = end
    raise truncated("a PNG without its end chunk")


def _chunk_name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalpha() else "unnamed"


# --- WebP: RFC 9649; BMP ----------------------------------------------------------------


def _check_webp(data: bytes) -> None:
    announced = 8 + int.from_bytes(data[4:8], "little")
    if announced > len(data):
        raise truncated(f"{len(data):,} of {announced:,} bytes are there")


def _check_bmp(data: bytes) -> None:
    # Run lengths may stop early, so only the announced size tells that some are missing.
    # Uncompressed files often announce a wrong one; there, the decoder counts the rows.
    is_run_length = int.from_bytes(data[30:34], "little") in (1, 2)
    announced = int.from_bytes(data[2:6], "little")
    if is_run_length and announced > len(data):
        raise truncated(f"{len(data):,} of {announced:,} bytes are there")


# --- GIF: GIF89a specification ----------------------------------------------------------


def _check_gif(data: bytes) -> None:
    """Follows the blocks up to the end of the first picture, the only one that is used."""
    position = 13 + _colour_table_bytes(data[10:11])
    while position < len(data):
        introducer = data[position]
        if introducer == 0x3B:
            raise corrupt("a GIF without a picture")
        if introducer == 0x21:
            position = _skip_sub_blocks(data, position + 2)
        elif introducer == 0x2C:
            position += 10
            position += _colour_table_bytes(data[position - 1 : position])
            _skip_sub_blocks(data, position + 1)
            return
        else:
            raise corrupt("a GIF block of no known kind")
    raise truncated("a GIF that ends before its first picture")


def _colour_table_bytes(flags: bytes) -> int:
    return 3 * (2 << (flags[0] & 7)) if flags and flags[0] & 0x80 else 0


def _skip_sub_blocks(data: bytes, position: int) -> int:
    while position < len(data):
        length = data[position]
        position += 1 + length
        if length == 0:
            return position
    raise truncated("a GIF that ends within a block")


# --- TIFF: TIFF 6.0, and BigTIFF --------------------------------------------------------

_NUM_BYTES_OF_TYPES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_UNCOMPRESSED: Final = 1
_DNG_VERSION: Final = 50706


@dataclass(frozen=True, slots=True)
class _TiffLayout:
    """The widths that differ between TIFF and BigTIFF."""

    count_bytes: int
    entry_bytes: int
    value_bytes: int


_CLASSIC: Final = _TiffLayout(count_bytes=2, entry_bytes=12, value_bytes=4)
_BIG: Final = _TiffLayout(count_bytes=8, entry_bytes=20, value_bytes=8)


def _check_tiff(data: bytes) -> None:
    tags = _tiff_tags(data)
    if _DNG_VERSION in tags:
        raise unsupported("a camera raw (DNG) image")
    compression = tags.get(259, (_UNCOMPRESSED,))[0]
    if compression == _UNCOMPRESSED:
        return  # some writers round the last strip up; the decoder counts what it needs
    for offsets_tag, lengths_tag in ((273, 279), (324, 325)):
        pieces = zip(tags.get(offsets_tag, ()), tags.get(lengths_tag, ()), strict=False)
        if any(offset + length > len(data) for offset, length in pieces):
            raise truncated("a TIFF whose picture lies beyond its end")


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """Returns the integer tags of the first page; every value must lie within the file."""
    order: Final = "little" if data[:2] == b"II" else "big"

    def number(position: int, num_bytes: int) -> int:
        if position + num_bytes > len(data):
            raise truncated("a TIFF that ends within its directory")
        return int.from_bytes(data[position : position + num_bytes], order)

    layout = _BIG if number(2, 2) == 43 else _CLASSIC
    is_big = layout is _BIG
    directory = number(8, 8) if is_big else number(4, 4)
    tags: dict[int, tuple[int, ...]] = {}
    num_entries = number(directory, layout.count_bytes)
    for index in range(num_entries):
        entry = directory + layout.count_bytes + index * layout.entry_bytes
        width = _num_bytes_of(number(entry + 2, 2))
        count = number(entry + 4, layout.value_bytes)
        where = entry + 4 + layout.value_bytes
        if count * width > layout.value_bytes:
            where = number(where, layout.value_bytes)
        if where + count * width > len(data):
            raise truncated("a TIFF whose directory points beyond its end")
        tag = number(entry, 2)
        if tag in _TAGS_READ and tag not in tags:
            tags[tag] = tuple(number(where + i * width, width) for i in range(count))
    return tags


def _num_bytes_of(type_code: int) -> int:
    known = type_code < len(_NUM_BYTES_OF_TYPES)
    return _NUM_BYTES_OF_TYPES[type_code] if known else 0  # readers skip unknown types


_TAGS_READ: Final = frozenset({259, 273, 279, 324, 325, _DNG_VERSION})

_CHECKS: Final[dict[Format, Callable[[bytes], None]]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "TIFF": _check_tiff,
    "WEBP": _check_webp,
    "BMP": _check_bmp,
    "GIF": _check_gif,
}
