"""Where the network's input lies in the file's image, for every fit."""

from __future__ import annotations

import numpy as np
import pytest

from foveal.explanation.placement import Placement
from foveal.images import DecodedImage, ImageFacts, Preprocessing
from foveal.images.resizing import Fit


def planted(height: int, width: int, row: int, column: int) -> DecodedImage:
    """A black image with one bright patch around a position."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[row - 4 : row + 5, column - 4 : column + 5] = 255
    return DecodedImage(pixels, ImageFacts("PNG", width, height, "L", 8))


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
def test_a_planted_point_is_found_where_the_network_sees_it(fit: Fit, crop_fraction: float) -> None:
    preprocessing = Preprocessing(64, 64, fit=fit, crop_fraction=crop_fraction)
    row, column = 70, 90
    image = preprocessing.prepare(planted(120, 200, row, column))[0]
    image = image - image.min()
    y, x = (
        (image.sum(1 - axis) * np.arange(64)).sum() / image.sum() if fit != "pad" else None
        for axis in (0, 1)
    )
    if fit == "pad":  # the filling is grey: look for the bright pixels alone
        bright = image > 0.9 * image.max()
        y, x = (np.flatnonzero(bright.any(1 - axis)).mean() for axis in (0, 1))
    placement = Placement.of(preprocessing, image_px=(120, 200), shown_px=(120, 200))
    assert placement.rows[row] == pytest.approx(y, abs=0.6)
    assert placement.columns[column] == pytest.approx(x, abs=0.6)


def test_a_crop_leaves_the_sides_unseen() -> None:
    preprocessing = Preprocessing(64, 64, fit="crop")
    seen = Placement.of(preprocessing, image_px=(100, 200), shown_px=(100, 200)).seen
    assert seen[:, 51:149].all()
    assert not seen[:, :49].any()


def test_squashing_sees_everything() -> None:
    placement = Placement.of(Preprocessing(64, 64), image_px=(90, 50), shown_px=(45, 25))
    assert placement.seen.all()


def test_shown_at_another_size_it_is_the_same_place() -> None:
    preprocessing = Preprocessing(64, 64, fit="crop", crop_fraction=0.9)
    whole = Placement.of(preprocessing, image_px=(120, 200), shown_px=(120, 200))
    small = Placement.of(preprocessing, image_px=(120, 200), shown_px=(60, 100))
    np.testing.assert_allclose(whole.resized((60, 100)).rows, small.rows)
    np.testing.assert_allclose(whole.resized((60, 100)).columns, small.columns)
