from __future__ import annotations

import numpy as np
import pytest

from foveal.explanation.faithfulness.wording import describe_area


def _box(top: int, bottom: int, left: int, right: int, size: int = 16) -> np.ndarray:
    values = np.zeros((size, size))
    values[top:bottom, left:right] = 1
    return values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (_box(0, 8, 0, 8), "the upper left quarter"),
        (_box(0, 8, 8, 16), "the upper right quarter"),
        (_box(8, 16, 0, 8), "the lower left quarter"),
        (_box(8, 16, 8, 16), "the lower right quarter"),
        (_box(5, 11, 5, 11), "the middle"),
        (_box(0, 7, 0, 16), "the upper half"),
        (_box(9, 16, 0, 16), "the lower half"),
        (_box(0, 16, 0, 7), "the left half"),
        (_box(0, 16, 9, 16), "the right half"),
        (1 - _box(2, 14, 2, 14), "the border"),
        (_box(0, 16, 0, 16), "areas spread over the image"),
        (_box(0, 0, 0, 0), "no area"),
    ],
)
def test_place_is_named_where_most_of_the_map_lies(make_map, values, expected: str):
    assert describe_area(make_map(values)) == expected


def test_a_cell_across_the_middle_counts_for_both_sides(make_map):
    values = np.zeros((3, 3))
    values[1, 0] = 1
    assert describe_area(make_map(values)) == "the left half"
