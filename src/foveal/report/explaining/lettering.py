"""Words on a sheet: a font, how wide they are in it, and where to break them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from PIL import ImageFont

from foveal.report.width import display_width, shorten_middle
from foveal.text import printable

Weight = Literal["regular", "bold"]

# Looked up among the system's fonts; Pillow's own comes last and knows Latin letters alone.
_FILES: dict[Weight, tuple[str, ...]] = {
    "regular": ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf"),
    "bold": ("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf"),
}


@dataclass(frozen=True, slots=True)
class Font:
    """A font of a size.

    Attributes:
        size_px: Height of an em.
        weight: Regular or bold.
    """

    size_px: int
    weight: Weight = "regular"

    def loaded(self) -> Any:
        """Returns it as Pillow draws with it."""
        return _load(self.size_px, self.weight)

    def width(self, text: str) -> int:
        """Returns the width of ``text`` in pixels, rounded up."""
        return -int(-self.loaded().getlength(text) // 1)


@cache
def _load(size_px: int, weight: Weight) -> Any:
    for name in _FILES[weight]:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


def shorten_pixels(text: str, font: Font, room_px: int) -> str:
    """Returns ``text``, made printable, cut in its middle to fit into ``room_px``."""
    text = printable(text)
    columns = display_width(text)
    shown = text
    while columns > 1 and font.width(shown) > room_px:
        columns = min(columns - 1, columns * room_px // font.width(shown))
        shown = shorten_middle(text, columns)
    return shown


def wrap_pixels(text: str, font: Font, room_px: int) -> list[str]:
    """Returns ``text``, made printable, in lines that fit into ``room_px``.

    A word that is wider is broken, so that a hostile name cannot run off the sheet.
    """
    lines: list[str] = []
    line = ""
    for word in printable(text).split():
        tried = f"{line} {word}".strip()
        if font.width(tried) <= room_px:
            line = tried
            continue
        if line:
            lines.append(line)
        while font.width(word) > room_px and len(word) > 1:
            taken = len(word) - 1
            while taken > 1 and font.width(word[:taken]) > room_px:
                taken -= max(1, taken // 8)
            lines.append(word[:taken])
            word = word[taken:]
        line = word
    return [*lines, line] if line else lines or [""]
