"""Has a PNG as many rows as it announces?

A PNG may be whole, with every checksum right, and yet hold too few rows. Pillow leaves the
rest black without a word. Counting means inflating a second time, so it is only done where
the last row is black indeed.
"""

from __future__ import annotations

import zlib
from typing import Final

from PIL import Image

from foveal.images.faults import truncated

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
