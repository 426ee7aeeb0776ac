from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from foveal.draw import lettering
from foveal.draw.lettering import Font, shorten_pixels, wrap_pixels

SCRIPTS = {
    "Cyrillic": ("Кошка", "Шапка"),
    "Greek": ("γάτα", "σκύλ"),
    "CJK": ("日本語", "犬猫鳥"),
    "Kana": ("ねこね", "いぬい"),
    "Hangul": ("고양이", "강아지"),
    "Arabic": ("قطة", "كلب"),
    "Hebrew": ("חתול", "כלבה"),
    "Devanagari": ("बिल्ली", "कुत्ता"),
    "Bengali": ("বিড়াল", "কুকুর"),
    "Tamil": ("பூனை", "நாய்"),
    "Thai": ("แมวส้ม", "สุนัข"),
    "Amharic": ("ድመት", "ውሻ"),
}
CACHED = (lettering._main, lettering._others, lettering._installed, lettering._file_with)


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A system without any font: what is left is Pillow's own."""
    for one in CACHED:
        one.cache_clear()
    monkeypatch.setattr(lettering, "_folders", lambda: (tmp_path,))
    yield
    for one in CACHED:
        one.cache_clear()


def _drawn(text: str, font: Font) -> np.ndarray:
    image = Image.new("L", (1200, 60))
    font.draw(ImageDraw.Draw(image), (10, 40), text, colour="#ffffff")
    return np.asarray(image)


@pytest.mark.parametrize("weight", ["regular", "bold"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_names_of_a_script_are_drawn_apart_or_escaped(script: str, weight: str) -> None:
    font = Font(24, weight)  # type: ignore[arg-type]
    first, second = SCRIPTS[script]
    assert not np.array_equal(_drawn(first, font), _drawn(second, font))
    for name in (first, second):
        assert font.shown(name) in (name, name.encode("unicode_escape").decode())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_letter_is_never_drawn_as_a_box(script: str) -> None:
    for character in "".join(SCRIPTS[script]):
        for file, part in Font(24)._parts(character):
            face = lettering._face(file, 24, shaped=False)
            box = bytes(face.getmask("\U0010ffff"))
            assert all(bytes(face.getmask(letter)) != box for letter in part)


@pytest.mark.parametrize("text", ["ж", "日本", "हि", "عر", "한", "\u0378"])
def test_without_fonts_what_cannot_be_drawn_is_escaped(no_fonts: None, text: str) -> None:
    assert Font(18).shown(f"cat {text}") == "cat " + text.encode("unicode_escape").decode()


def test_without_fonts_latin_is_still_drawn(no_fonts: None) -> None:
    assert Font(18).shown("Cafe 93%") == "Cafe 93%"
    assert _drawn("Cafe", Font(18)).any()


def test_an_unassigned_character_is_escaped() -> None:
    assert Font(18).shown("a\u0378b") == "a\\u0378b"


def test_the_width_is_that_of_what_is_drawn() -> None:
    for text in ("cat", "日本語 cat", "हिन्दी, قطة", "a\u0378b"):
        ink = np.nonzero(_drawn(text, Font(20)).any(axis=0))[0]
        assert abs(ink.max() - 10 - Font(20).width(text)) <= 4


def test_a_mark_is_drawn_with_the_font_of_its_letter() -> None:
    parts = list(Font(18)._parts("a" + "हि" + "b"))
    assert not any(unicodedata.category(part[0]).startswith("M") for _, part in parts)


def test_selectors_and_joiners_take_no_place() -> None:
    assert Font(18).shown("☀\ufe0f") == "☀\ufe0f"
    assert Font(18).width("a\u200db") == Font(18).width("ab")


def test_escapes_are_counted_where_room_is_short(no_fonts: None) -> None:
    name = "日" * 40
    assert Font(14).width(shorten_pixels(name, Font(14), 120)) <= 120
    assert all(Font(14).width(line) <= 120 for line in wrap_pixels(name, Font(14), 120))
