"""Explained images in the terminal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from foveal.draw.text_layout import display_width
from foveal.explanation.images import ExplainedImage
from foveal.explanation.writing import render_explanations_text, shade

Make = Callable[..., ExplainedImage]


def test_the_hot_cell_is_dark_in_its_corner(explained: Make) -> None:
    lines = render_explanations_text([explained()]).splitlines()
    assert lines[5].startswith("│      ██│")


def test_class_probability_and_verdict_stand_beside_it(explained: Make) -> None:
    lines = render_explanations_text([explained(level="doubtful")]).splitlines()
    assert lines[1].endswith("cracked 93%")
    assert lines[2].endswith("doubtful")


def test_hostile_names_stay_within_80_columns(explained: Make) -> None:
    text = render_explanations_text([explained(class_name="日本" * 60, path="p" * 300)])
    assert max(display_width(line) for line in text.splitlines()) <= 80


def test_a_map_of_many_cells_is_averaged_to_eight() -> None:
    values = np.zeros((64, 64), np.float32)
    values[:8, :8] = 1.0
    rows = shade(values, most=1.0)
    assert rows == ("██" + "  " * 7, *["  " * 8] * 7)


def test_a_little_value_still_shows() -> None:
    assert shade(np.array([[0.01]], np.float32), most=1.0) == ("░░",)


def test_a_blank_map_is_blank() -> None:
    assert shade(np.zeros((2, 2), np.float32), most=0.0) == ("    ", "    ")
