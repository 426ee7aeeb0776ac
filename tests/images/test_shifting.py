"""Images moved by whole pixels."""

from __future__ import annotations

import numpy as np
import pytest

from foveal.errors import UsageError
from foveal.images.views import shift

PICTURE = np.arange(2 * 7 * 9).reshape(2, 7, 9)
MOVES = [(0, 0), (1, 0), (-1, 0), (0, 3), (0, -3), (6, -8), (-6, 8), (2, 5)]


@pytest.mark.parametrize(("down", "right"), MOVES)
def test_reflection_is_numpys(down: int, right: int) -> None:
    padded = np.pad(PICTURE, ((0, 0), (6, 6), (8, 8)), mode="reflect")
    expected = padded[:, 6 - down : 13 - down, 8 - right : 17 - right]
    np.testing.assert_array_equal(shift(PICTURE, down, right), expected)


@pytest.mark.parametrize(("down", "right"), MOVES)
def test_wrapping_moves_every_pixel_and_loses_none(down: int, right: int) -> None:
    moved = shift(PICTURE, down, right, border="wrap")
    rows, columns = np.mgrid[:7, :9]
    np.testing.assert_array_equal(moved[:, (rows + down) % 7, (columns + right) % 9], PICTURE)


def test_cropping_shows_what_lies_there() -> None:
    moved = shift(PICTURE, -1, 2, border="crop", margin_px=2)
    np.testing.assert_array_equal(moved, PICTURE[:, 3:6, 0:5])


def test_a_move_beyond_the_margin_is_refused() -> None:
    with pytest.raises(UsageError, match="margin of 1 px cannot be moved by 2, 0 px"):
        shift(PICTURE, 2, 0, border="crop", margin_px=1)


def test_a_move_beyond_the_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="7×9 px cannot be moved by 7, 0 px"):
        shift(PICTURE, 7, 0)
