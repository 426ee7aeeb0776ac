"""AVIF and HEIC: images of telephones."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
from PIL import Image, features

from foveal.errors import ImageError
from foveal.images import decode
from foveal.images.formats import format_of

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
HAS_HEIC = importlib.util.find_spec("pillow_heif") is not None
needs_heic = pytest.mark.skipif(not HAS_HEIC, reason="pillow-heif is not installed")
HEIC_START = b"\x00\x00\x00\x18ftypheic\0\0\0\0mif1heic"


def encoded(picture: np.ndarray, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    if name == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(picture)).save(stream, quality=95, **options)
    else:
        Image.fromarray(picture).save(stream, name, quality=95, **options)
    return stream.getvalue()


FORMATS = [
    pytest.param("AVIF", "AVIF", marks=needs_avif),
    pytest.param("HEIF", "HEIC", marks=needs_heic),
]


@pytest.mark.parametrize(("written", "name"), FORMATS)
def test_a_picture_is_read_close_to_what_was_written(written, name, picture):
    decoded = decode(encoded(picture, written))
    assert decoded.facts.format == name
    assert np.abs(decoded.pixels.astype(int) - picture).mean() < 4


@pytest.mark.parametrize(("written", "name"), FORMATS)
def test_a_cut_file_is_an_error(written, name, picture):
    data = encoded(picture, written)
    for cut in np.linspace(40, len(data) - 1, 25).astype(int):
        with pytest.raises(ImageError) as caught:
            decode(data[:cut])
        assert caught.value.code in ("truncated", "corrupt")


@needs_avif
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_avif_is_turned_upright(orientation, picture):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    expected = np.rot90(picture, turned).astype(int)
    decoded = decode(encoded(picture, "AVIF", exif=exif))
    assert decoded.pixels.shape == expected.shape
    assert np.abs(decoded.pixels - expected).mean() < 4


@needs_avif
def test_of_an_avif_sequence_the_middle_is_used():
    frames = [np.full((32, 32, 3), level, np.uint8) for level in (0, 120, 250)]
    rest = [Image.fromarray(frame) for frame in frames[1:]]
    decoded = decode(encoded(frames[0], "AVIF", save_all=True, append_images=rest))
    assert decoded.facts.num_frames == 3
    assert abs(float(decoded.pixels.mean()) - 120) < 8


@pytest.mark.skipif(HAS_HEIC, reason="pillow-heif is installed")
def test_without_its_package_a_heic_says_what_to_install():
    with pytest.raises(ImageError, match=r"pip install 'foveal\[heic\]'") as caught:
        decode(HEIC_START)
    assert caught.value.code == "missing_codec"


@pytest.mark.parametrize(
    ("brand", "others", "name"),
    [
        (b"avif", b"mif1", "AVIF"),
        (b"avis", b"", "AVIF"),
        (b"heic", b"mif1", "HEIC"),
        (b"heix", b"", "HEIC"),
        (b"hevc", b"", "HEIC"),
        (b"mif1", b"avifmiaf", "AVIF"),
        (b"mif1", b"heicmiaf", "HEIC"),
    ],
)
def test_brands_tell_the_two_apart(brand, others, name):
    length = (16 + len(others)).to_bytes(4, "big")
    assert format_of(length + b"ftyp" + brand + bytes(4) + others + bytes(600)).name == name


def test_a_film_is_no_picture():
    with pytest.raises(ImageError, match="video or audio"):
        decode(b"\0\0\0\x18ftypmp42" + bytes(600))
