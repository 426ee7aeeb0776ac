"""Small images for reports."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError, UsageError
from foveal.images import THUMBNAIL_MEDIA_TYPE, thumbnail


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("size_px", "expected"), [(28, (28, 20)), (56, (56, 40)), (99, (56, 40))])
def test_the_longest_side_is_as_asked_and_never_enlarged(size_px, expected, encode, picture):
    assert opened(thumbnail(encode(picture, "PNG"), size_px=size_px)).size == expected


def test_a_very_long_picture_keeps_a_pixel(encode):
    data = encode(np.zeros((2, 900), np.uint8), "PNG")
    assert opened(thumbnail(data, size_px=30)).size == (30, 1)


def test_it_is_what_its_media_type_says(encode, picture):
    image = opened(thumbnail(encode(picture, "PNG"), size_px=30))
    assert image.get_format_mimetype() == THUMBNAIL_MEDIA_TYPE


def test_it_is_upright_and_without_metadata(encode, picture):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "planted"
    data = thumbnail(encode(picture, "JPEG", exif=exif, comment=b"planted"), size_px=28)
    assert opened(data).size == (20, 28)
    assert b"planted" not in data
    assert not opened(data).getexif()


def test_a_dicom_thumbnail_holds_no_name(dicom):
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    data = thumbnail(dicom(levels, bits_stored=12), size_px=64)
    gray = np.asarray(opened(data).convert("L"))
    assert b"lanted" not in data
    assert gray[:8].mean() < 40
    assert gray[-8:].mean() > 215


def test_it_is_the_same_every_time(encode, picture):
    data = encode(picture, "JPEG")
    assert thumbnail(data, size_px=32) == thumbnail(data, size_px=32)


def test_a_bad_file_is_an_error():
    with pytest.raises(ImageError, match="text"):
        thumbnail(b"nothing", size_px=32)


def test_a_size_below_one_is_refused(encode, picture):
    with pytest.raises(UsageError, match="size_px: got 0"):
        thumbnail(encode(picture, "PNG"), size_px=0)
