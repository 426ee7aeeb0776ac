"""Files that would hang a decoder or fill the memory are named at once."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError
from foveal.images import count_frames, decode


def with_tag(tag: int, kind: int, count: int, value: int = 0) -> bytes:
    """A small TIFF with one more tag in its directory."""
    stream = io.BytesIO()
    Image.new("L", (8, 8), 100).save(stream, "TIFF")
    data = stream.getvalue()
    (start,) = struct.unpack("<I", data[4:8])
    (number,) = struct.unpack("<H", data[start : start + 2])
    entries = [data[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(number)]
    entries.append(struct.pack("<HHII", tag, kind, count, value))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("tag", [254, 258, 324, 325, 273, 50706, 65000])
@pytest.mark.parametrize("kind", [0, 14, 15, 99, 65535])
@pytest.mark.parametrize("count", [50_000_000, 0xFFFFFFFF])
def test_a_tiff_tag_of_an_unknown_type_is_passed_over(tag, kind, count):
    assert decode(with_tag(tag, kind, count)).pixels.tolist() == [[100] * 8] * 8


@pytest.mark.parametrize("kind", [1, 3, 4, 12, 16])
def test_a_tiff_tag_of_a_known_type_and_a_huge_count_is_cut_short(kind):
    with pytest.raises(ImageError, match="points beyond its end"):
        decode(with_tag(324, kind, 0xFFFFFFFF, 8))


def test_a_tiff_directory_of_very_many_numbers_is_damaged():
    data = with_tag(65000, 3, 300_000, 8) + bytes(600_000)
    with pytest.raises(ImageError, match="numbers and more"):
        decode(data)


def pages(count: int, following: int | None = None) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "TIFF")
    data = stream.getvalue()
    (start,) = struct.unpack("<I", data[4:8])
    (number,) = struct.unpack("<H", data[start : start + 2])
    directory = data[start : start + 2 + 12 * number]
    first, size = len(data), len(directory) + 4
    chain = b"".join(
        directory + struct.pack("<I", first + (k + 1) * size if k < count - 1 else following or 0)
        for k in range(count)
    )
    return data[:4] + struct.pack("<I", first) + data[8:] + chain


def test_many_pages_are_walked_once_and_not_without_end():
    assert count_frames(pages(30_000)) <= 1 << 14
    assert decode(pages(30_000)).pixels.shape == (1, 1)


def test_pages_in_a_ring_are_walked_once():
    data = pages(3)
    ring = pages(3, following=len(data) - (len(data) - int.from_bytes(data[4:8], "little")))
    assert count_frames(ring) == 3


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def flat_png(side: int, depth: int, colour: int, channels: int) -> bytes:
    packer = zlib.compressobj(1)
    row = bytes(1 + side * channels * depth // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_a_deep_png_within_the_pixel_cap_is_judged_by_its_bytes(colour, channels):
    with pytest.raises(ImageError, match="GB of memory") as caught:
        decode(flat_png(5000, 16, colour, channels))
    assert caught.value.code == "too_large"


def test_a_png_of_very_many_chunks_is_damaged(encode, picture):
    data = encode(picture, "PNG")
    many = data[:33] + chunk(b"teXt", b"") * 5000 + data[33:]
    with pytest.raises(ImageError, match="chunks beside its image"):
        decode(many)


def test_a_gif_of_very_many_comments_is_damaged(encode, picture):
    data = encode(picture, "GIF")
    start = data.index(b"\x2c", 13 + 3 * 256)
    with pytest.raises(ImageError, match="blocks before its image"):
        decode(data[:start] + b"\x21\xfe\x01a\0" * 5000 + data[start:])


def test_a_jpeg_of_very_many_segments_is_damaged(encode, picture):
    data = encode(picture, "JPEG")
    with pytest.raises(ImageError, match="segments before its image"):
        decode(data[:2] + b"\xff\xe1\0\2" * 20_000 + data[2:])


def test_a_progressive_jpeg_of_hundreds_of_scans_is_refused(encode):
    data = encode(Image.new("L", (2400, 2400)), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="scans, which would take very long"):
        decode(data[:-2] + data[start:-2] * 300 + b"\xff\xd9")


def test_a_webp_canvas_is_measured_before_it_is_made():
    canvas = b"\0\0\0\0" + (16383).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    with pytest.raises(ImageError, match="more than the"):
        decode(data)


def jpeg_2000(dicom, boxes: bytes) -> bytes:
    stream = b"\0\0\0\x0cjP  \r\n\x87\n" + boxes
    return dicom(np.zeros((8, 8), np.uint8), syntax="1.2.840.10008.1.2.4.90", frames=[stream])


@pytest.mark.parametrize("boxes", [bytes(64), struct.pack(">I", 1) + b"ftyp" + bytes(56)])
def test_a_jpeg_2000_box_without_a_length_is_named(dicom, boxes):
    with pytest.raises(ImageError, match="box of DICOM pixels has no length"):
        decode(jpeg_2000(dicom, boxes))


def deflated_bomb(dicom) -> bytes:
    data = dicom(np.zeros((8, 8), np.uint16), syntax="1.2.840.10008.1.2.1.99")
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(260)) + packer.flush()
    return data[:start] + body


@pytest.mark.parametrize("length", [None, 0, 0x7FFFFFFF])
def test_a_deflated_bomb_is_found_whatever_length_its_header_gives(dicom, length):
    data = deflated_bomb(dicom)
    if length is not None:
        data = data[:140] + struct.pack("<I", length) + data[144:]
    with pytest.raises(ImageError, match="deflated DICOM data exceed"):
        decode(data)


def test_a_deflated_bomb_is_found_behind_a_long_header(dicom):
    data = deflated_bomb(dicom)
    further = struct.pack("<HH2sH", 2, 0x0013, b"SH", 2000) + b"x" * 2000
    with pytest.raises(ImageError, match="deflated DICOM data exceed"):
        decode(data[:144] + further + data[144:])
