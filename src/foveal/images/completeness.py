"""Checks from its structure whether a file is all there, before any pixel is decoded.

Decoders differ in how they take a missing end: some raise, some paint the rest grey. What
is checked here does not depend on them. Each format says where it ends: GIF by a closing
marker, PNG by chunks with checksums, WebP and BMP by a length, TIFF by offsets. For JPEG see
``foveal.images.jpeg``.

A PNG may be whole, with every checksum right, and yet hold too few rows. Pillow leaves the
rest black without a word. Counting means inflating a second time, so that is only done where
the last row is black indeed.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from PIL import Image

from foveal.images.faults import corrupt, truncated, unsupported
from foveal.images.tiff import read_tags

# Some decoders take time that grows with the square of what stands before an image.
_MAX_BLOCKS: Final = 1 << 12

# --- PNG: ISO/IEC 15948 -----------------------------------------------------------------


def check_png(data: bytes) -> None:
    """Refuses a PNG that lacks a chunk or has one with a wrong checksum.

    Raises:
        ImageError: ``truncated``, ``corrupt``.
    """
    position, view = 8, memoryview(data)
    num_others = 0
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
        num_others += kind not in (b"IDAT", b"fdAT", b"fcTL")
        if num_others > _MAX_BLOCKS:
            raise corrupt(f"a PNG with more than {_MAX_BLOCKS:,} chunks beside its image")
        position = end
    raise truncated("a PNG without its end chunk")


def _chunk_name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalpha() else "unnamed"


# --- WebP: RFC 9649; BMP ----------------------------------------------------------------


def webp_size(data: bytes) -> tuple[int, int]:
    """Returns width and height in pixels: the canvas is made when such a file is opened.

    Raises:
        ImageError: ``corrupt``.
    """
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
    elif kind == b"VP8L" and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    else:
        raise corrupt("a WebP whose first chunk is no image")
    return width, height


def check_webp(data: bytes) -> None:
    """Refuses a WebP shorter than it announces.

    Raises:
        ImageError: ``truncated``, ``corrupt``.
    """
    announced = 8 + int.from_bytes(data[4:8], "little")
    if announced > len(data):
        raise truncated(f"{len(data):,} of {announced:,} bytes are there")


def check_bmp(data: bytes) -> None:
    """Refuses a BMP of run lengths that is shorter than it announces.

    Raises:
        ImageError: ``truncated``, ``corrupt``.
    """
    # Run lengths may stop early, so only the announced size tells that some are missing.
    # Uncompressed files often announce a wrong one; there, the decoder counts the rows.
    is_run_length = int.from_bytes(data[30:34], "little") in (1, 2)
    announced = int.from_bytes(data[2:6], "little")
    if is_run_length and announced > len(data):
        raise truncated(f"{len(data):,} of {announced:,} bytes are there")


# --- AVIF and HEIC: ISO/IEC 14496-12 ----------------------------------------------------


def check_boxes(data: bytes) -> None:
    """Refuses an AVIF or HEIC whose boxes reach beyond its end.

    Raises:
        ImageError: ``truncated``, ``corrupt``.
    """
    position = num_boxes = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:  # the size follows in 64 bits
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size == 0:  # up to the end
            return
        num_boxes += 1
        if size < 8 or num_boxes > _MAX_BLOCKS:
            raise corrupt("a box of the file has no sensible length")
        position += size
    if position > len(data) or not num_boxes:
        raise truncated(f"{len(data):,} of {position:,} bytes are there")


# --- GIF: GIF89a specification ----------------------------------------------------------


def check_gif(data: bytes) -> None:
    """Refuses a GIF whose blocks end too early.

    Raises:
        ImageError: ``truncated``, ``corrupt``.
    """
    count_gif_images(data)


def count_gif_images(data: bytes) -> int:
    """Follows the blocks to the end and counts the images; a missing end mark is forgiven.

    Not where there are several images: then the one in the middle would be another.

    Raises:
        ImageError: ``truncated`` or ``corrupt``.
    """
    num_images = num_blocks = 0
    position = 13 + _colour_table_bytes(data[10:11])
    while position < len(data):
        introducer = data[position]
        if introducer == 0x3B:
            if not num_images:
                raise corrupt("a GIF without an image")
            return num_images
        if introducer == 0x21:
            position = _skip_sub_blocks(data, position + 2)
            num_blocks += not num_images
            if num_blocks > _MAX_BLOCKS:
                raise corrupt(f"a GIF with more than {_MAX_BLOCKS:,} blocks before its image")
        elif introducer == 0x2C:
            position += 10
            position += _colour_table_bytes(data[position - 1 : position])
            position = _skip_sub_blocks(data, position + 1)
            num_images += 1
        elif num_images == 1:
            return 1  # bytes that some programs append
        else:
            raise corrupt("a GIF block of no known kind")
    if num_images == 1:
        return 1
    raise truncated(f"a GIF that ends after {num_images} of its images")


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

_UNCOMPRESSED: Final = 1
_DNG_VERSION: Final = 50706


def check_tiff(data: bytes) -> None:
    """Refuses a TIFF whose image lies beyond its end, and camera raw.

    Raises:
        ImageError: ``truncated``, ``corrupt`` or ``unsupported_format``.
    """
    tags = read_tags(data)
    if _DNG_VERSION in tags:
        raise unsupported("a camera raw (DNG) image")
    compression = int(tags[259][0]) if 259 in tags else _UNCOMPRESSED
    if compression == _UNCOMPRESSED:
        return  # some writers round the last strip up; the decoder counts what it needs
    for offsets_tag, lengths_tag in ((273, 279), (324, 325)):
        if offsets_tag in tags and lengths_tag in tags:
            offsets, lengths = tags[offsets_tag], tags[lengths_tag]
            count = min(len(offsets), len(lengths))
            # Each below 2^63, or the sum of two unsigned numbers could begin anew at 0.
            beyond = np.minimum(offsets[:count], 1 << 62) + np.minimum(lengths[:count], 1 << 62)
            if (beyond > len(data)).any():
                raise truncated("a TIFF whose image lies beyond its end")


_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIECE_BYTES: Final = 1 << 20
# Adam7, ISO/IEC 15948 section 8.2: first column and row of each pass, and their steps.
_PASSES: Final = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


def require_all_rows(image: Image.Image, data: bytes) -> None:
    """Refuses a PNG whose rows run out before its height is reached.

    Args:
        image: The image as Pillow decoded it, before it is turned.
        data: The whole file, already known to be well formed.

    Raises:
        ImageError: ``truncated``.
    """
    is_interlaced = data[28] == 1
    last_row = image.crop((0, image.height - 1, image.width, image.height))
    if not is_interlaced and last_row.getbbox(alpha_only=False) is not None:
        return
    if _num_inflated(data) < _num_expected(data, image.width, image.height, is_interlaced):
        raise truncated("a PNG with fewer rows than it announces")


def _num_expected(data: bytes, width_px: int, height_px: int, is_interlaced: bool) -> int:
    bits = data[24] * _CHANNELS.get(data[25], 1)
    total = 0
    for left, top, step_x, step_y in _PASSES if is_interlaced else ((0, 0, 1, 1),):
        columns = -(-(width_px - left) // step_x)
        rows = -(-(height_px - top) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _num_inflated(data: bytes) -> int:
    """Returns how many bytes the image data inflate to, in bounded memory."""
    inflate = zlib.decompressobj()
    total, position = 0, 8
    while position + 12 <= len(data) and not inflate.eof:
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IDAT":
            rest = data[position + 8 : position + 8 + length]
            while rest and not inflate.eof:
                total += len(inflate.decompress(rest, _PIECE_BYTES))
                rest = inflate.unconsumed_tail
        position += 12 + length
    return total + len(inflate.flush())
