"""Checks the bytes of a DICOM file before pydicom is given them.

pydicom believes lengths that it finds: it inflates a deflated data set at once, and follows the
boxes of a JPEG 2000 file for ever where one has no length.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from foveal.images.faults import corrupt, too_large

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_MAX_INFLATED_BYTES: Final = 128 << 20
_BYTES_PER_PIXEL: Final = 16
_PIECE_BYTES: Final = 1 << 24
_FIRST_ELEMENT: Final = 132
_TRANSFER_SYNTAX: Final = b"\x02\x00\x10\x00"
_LONG_FORMS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UN", b"UT", b"UC"})
_JP2_SIGNATURE: Final = b"\x00\x00\x00\x0cjP  "
_CODESTREAM: Final = b"jp2c"
_BOX_BYTES: Final = 8


def refuse_deflated_bomb(data: bytes, *, max_pixels: int) -> None:
    """Refuses a deflated data set that would inflate beyond what is allowed.

    The file meta group is walked element by element, as pydicom does; the length that it gives
    itself may be anything (PS3.10 7.1).

    Raises:
        ImageError: ``too_large``.
    """
    syntax, end = b"", _FIRST_ELEMENT
    for tag, value, after in _meta_elements(data):
        end = after
        if tag == _TRANSFER_SYNTAX:
            syntax = value.rstrip(b"\0 ")
    if syntax != _DEFLATED:
        return
    limit = min(_MAX_INFLATED_BYTES, _BYTES_PER_PIXEL * max_pixels)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    num_bytes, rest = 0, data[end:]
    while rest and num_bytes <= limit:
        try:
            num_bytes += len(inflate.decompress(rest, _PIECE_BYTES))
        except zlib.error:
            break
        rest = inflate.unconsumed_tail
    if num_bytes > limit:
        raise too_large(f"the deflated DICOM data exceed the {limit:,} bytes allowed")


def _meta_elements(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yields tag, value and end of each element of the file meta group, explicit little-endian."""
    position = _FIRST_ELEMENT if data[128:132] == b"DICM" else 0
    while data[position : position + 2] == b"\x02\x00" and position + 8 <= len(data):
        tag, form = data[position : position + 4], data[position + 4 : position + 6]
        if form in _LONG_FORMS:
            start = position + 12
            length = int.from_bytes(data[position + 8 : position + 12], "little")
        else:
            start = position + 8
            length = int.from_bytes(data[position + 6 : position + 8], "little")
        position = start + length
        yield tag, data[start:position], position


def refuse_endless_boxes(data: bytes) -> None:
    """Refuses JPEG 2000 pixels whose boxes lead nowhere (ISO/IEC 15444-1, annex I).

    Raises:
        ImageError: ``corrupt``.
    """
    start = data.find(_JP2_SIGNATURE)
    position = start + 12
    while start >= 0 and position + _BOX_BYTES <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == _CODESTREAM:
            return
        if length < _BOX_BYTES:
            raise corrupt("a JPEG 2000 box of DICOM pixels has no length")
        position += length
