"""An image answers alike whether it is a file, bytes, a PIL image or an array."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.errors import UsageError
from foveal.images import Preprocessing
from foveal.images.encoding import as_source, is_one_image, name_of

PREPARED = Preprocessing(32, 32)


def colours(shape: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def prepared(image: object) -> np.ndarray:
    return PREPARED.apply(as_source(image, name="image 1"))


@pytest.mark.parametrize(
    "array",
    [colours((40, 60)), colours((40, 60, 3)), colours((40, 60, 4)), colours((40, 60), np.uint16)],
    ids=["gray", "rgb", "rgba", "16 bit"],
)
def test_file_bytes_open_file_pil_and_array_are_one_picture(
    array: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(array).save(file)
    expected = PREPARED.apply(file)
    with file.open("rb") as stream:
        np.testing.assert_array_equal(prepared(stream), expected)
    for image in (str(file), file, file.read_bytes(), array, Image.open(file)):
        np.testing.assert_array_equal(prepared(image), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I"])
def test_every_mode_of_pillow_has_a_way(mode: str) -> None:
    image = Image.fromarray(colours((20, 20, 3))).convert(mode)
    assert prepared(image).shape == (3, 32, 32)


def test_the_orientation_of_a_pil_image_is_undone() -> None:
    upright = Image.fromarray(colours((40, 60, 3)))
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90° to show
    upright.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    np.testing.assert_array_equal(prepared(Image.open(stream)), prepared(upright))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4)), r"array float64 \[4, 4\], expected uint8"),
        (np.zeros((3, 8, 8), np.uint8), r"array uint8 \[3, 8, 8\]"),
        (np.zeros((0, 8), np.uint8), "not empty"),
        (io.StringIO("text"), "opened as text"),
        (7, "got int, expected a path"),
        ({"path": "a.png"}, "got dict"),
    ],
)
def test_what_is_no_image_is_told_with_the_way_out(wrong: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_source(wrong, name="image 1")


def test_one_image_is_told_from_several() -> None:
    one = colours((8, 8, 3))
    assert is_one_image(one)
    assert is_one_image(Image.fromarray(one))
    assert is_one_image(io.BytesIO())
    assert not is_one_image([one])
    assert not is_one_image(np.stack([one, one]))


def test_images_without_a_name_are_numbered(tmp_path: Path) -> None:
    assert name_of(b"", number=3) == "image 3"
    assert name_of(tmp_path / "a.png", number=3) == str(tmp_path / "a.png")
