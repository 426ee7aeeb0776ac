"""Texts of every script fit their columns, counted as a terminal counts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.draw.text_layout import display_width, pad, shorten_end, shorten_middle, wrap

SIGNS = (
    "a",
    "é",
    "e\u0301",
    "日",
    "한",
    "\u1112\u1161\u11ab",
    "ก้",
    "क्षि",
    "ш",
    "👩\u200d👧",
    "❤\ufe0f",
    "🇰🇷",
)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("한국", 4),
        ("\u1112\u1161\u11ab", 2),  # a syllable of three letters
        ("👩\u200d👩\u200d👧", 2),  # a family, joined
        ("ไทย", 3),
        ("é", 1),
    ],
)
def test_what_stands_in_one_sign_is_counted_once(text: str, columns: int) -> None:
    assert display_width(text) == columns


@given(text=st.lists(st.sampled_from(SIGNS), max_size=40).map("".join), columns=st.integers(1, 30))
def test_signs_of_several_characters_are_cut_to_fit(text: str, columns: int) -> None:
    assert display_width(shorten_middle(text, columns)) <= columns
    assert display_width(shorten_end(text, columns)) <= columns


@given(
    words=st.lists(st.lists(st.sampled_from(SIGNS), max_size=30).map("".join), max_size=6),
    columns=st.integers(6, 40),
)
def test_lines_of_any_script_fit(words: list[str], columns: int) -> None:
    lines = wrap(" ".join(words), columns=columns, indent="  ").splitlines()
    assert all(display_width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(words).split())


@pytest.mark.parametrize("text", ["", "a", "日本", "e\u0301"])
def test_padding_fills_the_columns(text: str) -> None:
    assert display_width(pad(text, 6)) == display_width(pad(text, 6, right=True)) == 6
