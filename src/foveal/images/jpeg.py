"""Reads a JPEG's markers (ITU-T T.81, annex B): what is announced, and whether all is there."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

from foveal.images.faults import corrupt, truncated, unsupported

_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_END: Final = b"\xff\xd9"
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_MAX_SEGMENTS: Final = 1 << 14
# What might follow where a file was cut: bits of every kind. Coded data that are complete are
# not changed by any of them; others read the missing rest of the image from them.
_CONTINUATIONS: Final = (b"\0" * 64, b"\x55" * 64, b"\xaa" * 64, b"\xfe" * 64)
_NUM_COEFFICIENTS: Final = 64


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What a JPEG says before its coded data.

    Attributes:
        width_px, height_px: As stored, before orientation.
        num_components: 1 for gray, 3 for colour, 4 for CMYK.
        is_progressive: Whether all coefficients are held until the last scan.
        num_scans: Passes over the image.
        has_end: Whether the end marker is there.
        first_scan: Where the first scan begins.
    """

    width_px: int
    height_px: int
    num_components: int
    is_progressive: bool
    num_scans: int
    has_end: bool
    first_scan: int


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Walks the markers up to the coded data.

    Raises:
        ImageError: ``truncated``, ``corrupt``, or ``unsupported_format`` for kinds of JPEG that
            no common decoder reads.
    """
    position = 2
    frame: tuple[int, int, int, int] | None = None
    for _ in range(_MAX_SEGMENTS):
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
            raise corrupt("a JPEG without an image")
        if marker in _FRAME_MARKERS:
            frame = _read_frame(data, position, marker)
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    else:
        raise corrupt(f"a JPEG with more than {_MAX_SEGMENTS:,} segments before its image")
    if frame is None:
        raise corrupt("a JPEG whose image comes before its size")
    # Coded data never holds FF D9 or FF DA, so neither can be mistaken there. Searching for the
    # end from the back also finds it before the junk that some cameras append.
    height_px, width_px, num_components, kind = frame
    return JpegHeader(
        width_px=width_px,
        height_px=height_px,
        num_components=num_components,
        is_progressive=kind in _PROGRESSIVE,
        num_scans=data.count(b"\xff\xda", position),
        has_end=data.rfind(_END, position) >= 0,
        first_scan=position,
    )


def _read_frame(data: bytes, position: int, marker: int) -> tuple[int, int, int, int]:
    if marker not in _READABLE_FRAMES:
        raise unsupported("a lossless or hierarchical JPEG")
    segment = data[position + 4 : position + 10]
    if len(segment) < 6:
        raise truncated("a JPEG that ends within its header")
    if segment[0] != 8:
        raise unsupported(f"a JPEG with {segment[0]} bits a sample")
    height, width = (int.from_bytes(segment[at : at + 2], "big") for at in (1, 3))
    return height, width, segment[5], marker


def with_end_marker(data: bytes, header: JpegHeader) -> bytes:
    """Returns a JPEG that lacks its end marker with one, if nothing else is missing.

    Whether a pixel is missing is tried: the file is continued in several ways and decoded. A
    pixel that depends on what follows has not been there.

    Raises:
        ImageError: ``truncated``.
    """
    missing = truncated("a JPEG without its end marker, and without all of its image")
    body = data.removesuffix(b"\xff")
    if header.is_progressive and not _covers_all_coefficients(body, header):
        raise missing
    images = set()
    for continuation in _CONTINUATIONS:
        with Image.open(io.BytesIO(body + continuation + _END), formats=("JPEG",)) as image:
            images.add(image.tobytes())
        if len(images) > 1:
            raise missing
    return body + _END


def _covers_all_coefficients(data: bytes, header: JpegHeader) -> bool:
    """Whether the scans of a progressive JPEG bring every coefficient to its last bit.

    One cut between two scans looks whole and is coarse.
    """
    done: set[tuple[int, int]] = set()
    components: set[int] = set()
    position = header.first_scan
    while (position := data.find(b"\xff\xda", position)) >= 0:
        count = data[position + 4] if position + 4 < len(data) else 0
        scan = data[position + 5 : position + 8 + 2 * count]
        if not 1 <= count <= 4 or len(scan) < 2 * count + 3:
            return False
        chosen = set(scan[0 : 2 * count : 2])
        start, stop, bits = scan[2 * count :]
        components |= chosen
        if bits & 15 == 0:
            done |= {(one, index) for one in chosen for index in range(start, min(stop, 63) + 1)}
        position += 2
    return (
        len(components) == header.num_components
        and len(done) == header.num_components * _NUM_COEFFICIENTS
    )
