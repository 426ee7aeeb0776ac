"""A cut file is an error, or the whole image; never a part of it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from foveal.errors import ImageError
from foveal.images import decode

ALLOWED = {"truncated", "corrupt", "not_an_image", "empty_file"}

VARIANTS = {
    "jpeg": ("JPEG", {}),
    "jpeg progressive": ("JPEG", {"progressive": True}),
    "jpeg restart markers": ("JPEG", {"restart_marker_rows": 1}),
    "png": ("PNG", {}),
    "tiff raw": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg"}),
    "tiff packbits": ("TIFF", {"compression": "packbits"}),
    "webp": ("WEBP", {}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
}


def cuts(num_bytes: int) -> list[int]:
    """All positions near both ends, and many between."""
    between = np.linspace(0, num_bytes - 1, 120).astype(int).tolist()
    ends = [*range(min(40, num_bytes)), *range(max(0, num_bytes - 60), num_bytes)]
    return sorted({*between, *ends})


def wrong_cuts(data: bytes) -> list[object]:
    whole = decode(data).pixels
    wrong: list[object] = []
    for cut in cuts(len(data)):
        try:
            pixels = decode(data[:cut]).pixels
        except ImageError as error:
            if error.code not in ALLOWED:
                wrong.append((cut, error.code))
        else:
            if not np.array_equal(pixels, whole):
                wrong.append((cut, "other pixels"))
    return wrong


@pytest.fixture(params=VARIANTS)
def sample(request, encode) -> bytes:
    y, x = np.mgrid[0:96, 0:120]
    noise = np.random.default_rng(0).integers(0, 40, (96, 120, 3))
    pixels = (np.stack([x + y, 2 * y, 200 - x], axis=-1) + noise).clip(0, 255).astype(np.uint8)
    format_name, options = VARIANTS[request.param]
    return encode(pixels, format_name, **options)


def test_no_cut_gives_a_part_of_the_picture(sample):
    assert wrong_cuts(sample) == []


def test_no_cut_gives_a_part_of_the_picture_where_the_host_told_pillow_to_be_lenient(
    sample, monkeypatch
):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert wrong_cuts(sample) == []
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_tiff_with_its_directory_at_the_end(tiff, compression, big_endian):
    levels = np.random.default_rng(1).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    data = tiff(levels, compression=compression, byte_order=">" if big_endian else "<")
    assert wrong_cuts(data) == []


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read_and_it_is_said(
    encode, picture, missing, options
):
    data = encode(picture, "JPEG", **options)
    decoded = decode(data[:-missing])
    assert np.array_equal(decoded.pixels, decode(data).pixels)
    assert "end marker is missing" in decoded.facts.notes[0]


def test_a_progressive_jpeg_cut_between_two_scans_is_truncated(encode, picture):
    data = encode(picture, "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    for scan in scans[1:]:
        with pytest.raises(ImageError, match="cut short"):
            decode(data[:scan])


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_ends_at_any_byte_before_is_truncated_or_whole(encode, options):
    noise = np.random.default_rng(3).integers(0, 256, (24, 24), np.uint8)
    data = encode(noise, "JPEG", quality=90, **options)
    assert wrong_cuts(data) == []


@pytest.mark.parametrize("missing", [4, 10])
def test_a_jpeg_without_its_last_bytes_is_truncated(encode, picture, missing):
    with pytest.raises(ImageError, match="cut short") as caught:
        decode(encode(picture, "JPEG")[:-missing])
    assert caught.value.code == "truncated"


def test_a_jpeg_whose_rest_was_filled_with_zeros_is_truncated(encode, picture):
    data = encode(picture, "JPEG", quality=95)
    with pytest.raises(ImageError, match="end marker"):
        decode(data[:-200] + bytes(200))


def test_junk_after_the_end_of_a_jpeg_does_no_harm(encode, picture):
    data = encode(picture, "JPEG")
    assert np.array_equal(decode(data + b"camera junk" * 9).pixels, decode(data).pixels)


def test_a_thumbnail_inside_does_not_stand_for_the_end(encode, picture):
    exif = Image.Exif()
    exif[0x010E] = "x" + encode(picture, "JPEG").decode("latin-1")  # holds FF D9
    data = encode(picture, "JPEG", exif=exif)
    with pytest.raises(ImageError, match="end marker"):
        decode(data[:-12])


@pytest.mark.parametrize("missing", [1, 4, 12])
def test_a_png_without_its_end_chunk_is_truncated(encode, picture, missing):
    with pytest.raises(ImageError, match="cut short") as caught:
        decode(encode(picture, "PNG")[:-missing])
    assert caught.value.code == "truncated"


def test_a_png_with_a_wrong_checksum_is_corrupt(encode, picture):
    data = bytearray(encode(picture, "PNG"))
    data[data.index(b"IDAT") + 20] ^= 0xFF
    with pytest.raises(ImageError, match="checksum of a PNG IDAT chunk") as caught:
        decode(bytes(data))
    assert caught.value.code == "corrupt"


@pytest.mark.parametrize("host_is_lenient", [False, True])
def test_a_whole_png_with_half_of_its_rows_is_an_error(png16, monkeypatch, host_is_lenient):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", host_is_lenient)
    levels = np.random.default_rng(2).integers(0, 65536, (40, 30)).astype(np.uint16)
    data = png16(levels[:20])
    header = struct.pack(">II", 30, 40) + data[24:29]
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ImageError) as caught:
        decode(data[:16] + header + checksum + data[33:])
    assert caught.value.code in {"truncated", "corrupt"}


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_flipped_bits_raise_nothing_but_image_errors(format_name, encode, picture):
    data = encode(picture, format_name)
    random = np.random.default_rng(3)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 4):
            damaged[position] ^= 1 << random.integers(0, 8)
        try:
            outcomes.add(decode(bytes(damaged), max_pixels=10_000_000).facts.format)
        except ImageError as error:
            outcomes.add(error.code)
    assert outcomes & {"corrupt", "truncated", "unsupported_format"}


def test_a_run_length_bmp_that_is_cut_is_truncated():
    width, height = 16, 8
    runs = b"".join(bytes([width, value, 0, 0]) for value in range(height)) + b"\x00\x01"
    palette = b"".join(bytes([i, i, 255 - i, 0]) for i in range(256))
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    data = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs
    assert decode(data).pixels.shape == (height, width, 3)
    with pytest.raises(ImageError, match="cut short"):
        decode(data[:-12])
