"""What bytes are said to be, whatever the file is called."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError
from foveal.images import SUPPORTED_SUFFIXES, decode, formats
from foveal.images.formats import FORMATS, ImageFormat, format_of


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_picture_is_identified_by_its_first_bytes(name, encode, picture):
    assert format_of(encode(picture, name)[:512]).name == name


def test_dicom_is_identified_with_and_without_its_preamble(dicom, picture):
    data = dicom(picture[..., 0])
    assert format_of(data).name == format_of(data[132:]).name == "DICOM"


@pytest.mark.parametrize(
    ("name", "word"),
    [("PPM", "portable pixmap"), ("ICO", "icon"), ("JPEG2000", "JPEG 2000")],
)
def test_an_image_of_another_format_is_named(name, word, encode, picture):
    with pytest.raises(ImageError, match=word) as caught:
        decode(encode(picture, name))
    assert caught.value.code == "unsupported_format"
    assert "Convert it" in str(caught.value)


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"8BPS\x00\x01" + bytes(20), "Photoshop"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(20), "CR2"),
    ],
)
def test_an_image_of_another_format_is_known_by_its_signature(start, word):
    with pytest.raises(ImageError, match=word) as caught:
        decode(start)
    assert caught.value.code == "unsupported_format"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"just some notes\n", "text"),
        ("Größe: 3 µm".encode(), "text"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(30), "ZIP"),
        (bytes(5000), "zeros"),
        (b"\x01\x02\xfe\xff\x00\x07" * 30, "no known format"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
)
def test_what_is_no_image_is_named(data, word):
    with pytest.raises(ImageError, match=word) as caught:
        decode(data)
    assert caught.value.code == "not_an_image"


def test_no_bytes_are_an_empty_file():
    with pytest.raises(ImageError, match="0 bytes") as caught:
        decode(b"")
    assert caught.value.code == "empty_file"


def test_suffixes_are_lower_case_with_their_dot():
    assert all(s.startswith(".") and s == s.lower() for s in SUPPORTED_SUFFIXES)
    assert {".jpg", ".png", ".tif", ".webp", ".bmp", ".gif", ".dcm"} <= SUPPORTED_SUFFIXES


def test_a_text_file_called_jpg_is_text(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("not a photo")
    with pytest.raises(ImageError, match=r"photo\.jpg: this is text") as caught:
        decode(path)
    assert (caught.value.code, caught.value.path) == ("not_an_image", str(path))


def test_the_name_does_not_decide(tmp_path, encode, picture):
    path = tmp_path / "picture.jpg"
    path.write_bytes(encode(Image.fromarray(picture), "PNG"))
    assert decode(path).facts.format == "PNG"


@pytest.mark.parametrize(
    "preamble", [b"II*\x00", b"MM\x00*", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
)
def test_dicom_with_the_preamble_of_another_format_is_dicom(preamble, dicom):
    data = dicom(np.arange(64, dtype=np.uint16).reshape(8, 8))
    assert format_of(preamble + data[len(preamble) :]).name == "DICOM"


def test_a_picture_that_holds_the_word_by_chance_stays_one():
    assert format_of(b"\xff\xd8\xff" + b"\0" * 125 + b"DICM" + b"\0" * 64).name == "JPEG"


def test_no_two_formats_share_a_name_or_a_suffix():
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert len({one.name for one in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("name", [one.name for one in FORMATS if one.name not in ("HEIC", "DICOM")])
def test_one_row_alone_announces_a_file(name, encode, picture):
    data = encode(picture, name)
    assert [one.name for one in FORMATS if one.is_announced_by(data[:512])] == [name]


@pytest.mark.parametrize(
    ("name", "suffix", "start"), [("PPM", ".ppm", b"P6"), ("QOI", ".qoi", b"qoif")]
)
def test_a_row_is_all_that_a_format_of_pillow_needs(
    name, suffix, start, encode, picture, monkeypatch
):
    row = ImageFormat(name, (suffix,), lambda data: data.startswith(start))
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, row))
    decoded = decode(encode(picture, name))
    assert decoded.facts.format == name
    assert np.array_equal(decoded.pixels, picture)
