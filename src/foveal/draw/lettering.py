r"""Words drawn into a picture: which font has each character, how wide they are, where to break.

A font holds some scripts and draws a box for the others. Each character is drawn with the first
font of the system that has it; what no font has is drawn as its escape (``\u0939``).
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foveal.draw.text_layout import display_width, shorten_middle
from foveal.text import escape, printable

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

    Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

Weight = Literal["regular", "bold"]

# The fonts that text is set in, the first that is installed.
_MAIN: dict[Weight, tuple[str, ...]] = {
    "regular": ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf"),
    "bold": ("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf"),
}
_SUFFIXES = (".ttf", ".otf", ".ttc")
_SLANTED = ("italic", "oblique")
_NEVER_ASSIGNED = "\U0010ffff"  # every font draws its box for it


@dataclass(frozen=True, slots=True)
class Font:
    """A font of a size.

    Attributes:
        size_px: Height of an em.
        weight: Regular or bold.
    """

    size_px: int
    weight: Weight = "regular"

    def width(self, text: str) -> int:
        """Returns the width in pixels of ``text`` as it is drawn, rounded up."""
        length = sum(_face(file, self.size_px).getlength(part) for file, part in self._parts(text))
        return -int(-length // 1)

    def draw(
        self,
        pen: ImageDraw.ImageDraw,
        place_px: tuple[float, float],
        text: str,
        *,
        colour: str | tuple[int, int, int],
    ) -> None:
        """Draws ``text``, from left to right; ``place_px`` is where its base line begins."""
        x, y = place_px
        for file, part in self._parts(text):
            face = _face(file, self.size_px)
            pen.text((x, y), part, fill=colour, font=face, anchor="ls")
            x += face.getlength(part)

    def shown(self, text: str) -> str:
        """Returns ``text`` as it is drawn, with escapes for what no font has."""
        return "".join(part for _, part in self._parts(text))

    def families(self, text: str) -> tuple[tuple[str, str], ...]:
        """Returns ``text`` as it is drawn, in parts, each with the family of its font.

        ``""`` stands for Pillow's own font, where the system has none.
        """
        return tuple((_family(file, self.size_px), part) for file, part in self._parts(text))

    def _parts(self, text: str) -> Iterator[tuple[str | None, str]]:
        """Yields the font file and the characters that it draws, in order."""
        file, part = _main(self.weight), ""
        for character in text:
            drawn, chosen = character, file
            if _is_invisible(character):
                drawn = character if _shapes_text() else ""
            elif not (unicodedata.category(character)[0] == "M" and _has(file, character)):
                # A mark is shaped with its letter, so its letter's font comes first.
                found = _file_with(character, self.weight)
                drawn, chosen = (escape(character), _main(self.weight)) if found is None else found
            if chosen != file and part:
                yield file, part
                part = ""
            file, part = chosen, part + drawn
        if part:
            yield file, part


def has_fonts() -> bool:
    """Whether this system has any font."""
    return bool(_installed())


def shorten_pixels(text: str, font: Font, room_px: int) -> str:
    """Returns ``text``, made printable, cut in its middle to fit into ``room_px``."""
    text = printable(text)
    columns = display_width(text)
    shown = text
    while columns > 1 and font.width(shown) > room_px:
        columns = max(1, min(columns - 1, columns * room_px // font.width(shown)))
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


def _is_invisible(character: str) -> bool:
    # Joiners and variation selectors change how their neighbours are drawn.
    code = ord(character)
    is_selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    return is_selector or unicodedata.category(character) == "Cf"


@cache
def _shapes_text() -> bool:
    """Whether Pillow can shape text; else it would draw a box for a joiner."""
    from PIL import features

    return bool(features.check("raqm"))


@cache
def _file_with(character: str, weight: Weight) -> tuple[str, str | None] | None:
    """Returns the character with the first font file that has it; None where none has."""
    if character.isspace():
        return character, _main(weight)
    for file in (_main(weight), *_others(weight)):
        if _has(file, character):
            return character, file
    return None


@cache
def _main(weight: Weight) -> str | None:
    """Returns the font file that text is set in; None means Pillow's own, which is Latin."""
    by_name = {Path(file).name: file for file in reversed(_installed())}
    return next((by_name[name] for name in _MAIN[weight] if name in by_name), None)


@cache
def _others(weight: Weight) -> tuple[str, ...]:
    """Returns the other fonts of the system: sans serif first, of the weight first."""

    def rank(file: str) -> tuple[bool, bool, bool, str]:
        name = Path(file).name.lower()
        return ("sans" not in name, "mono" in name, ("bold" in name) != (weight == "bold"), file)

    upright = (file for file in _installed() if not any(s in file.lower() for s in _SLANTED))
    return tuple(sorted(upright, key=rank))


@cache
def _installed() -> tuple[str, ...]:
    """Returns the files of the fonts on this system, in a fixed order."""
    found = {
        str(Path(folder) / name)
        for top in _folders()
        for folder, _, names in os.walk(top)
        for name in names
        if name.lower().endswith(_SUFFIXES)
    }
    return tuple(sorted(found))


def _folders() -> tuple[Path, ...]:
    home = Path("~").expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local"))
        return (
            Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",
            Path(local) / "Microsoft" / "Windows" / "Fonts",
        )
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"
    data_home = os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    data_folders = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    shared = tuple(Path(one) / "fonts" for one in (data_home, *data_folders.split(":")) if one)
    return (*shared, home / ".fonts")


@lru_cache(maxsize=64)
def _face(file: str | None, size_px: int, *, shaped: bool = True) -> Face:
    from PIL import ImageFont

    if file is None:
        return ImageFont.load_default(size_px)
    layout = None if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(file, size_px, layout_engine=layout)


@cache
def _family(file: str | None, size_px: int) -> str:
    face = None if file is None else _face(file, size_px)
    return str(getattr(face, "getname", lambda: [""])()[0] or "")


@cache
def _has(file: str | None, character: str) -> bool:
    """Whether the font draws something else for the character than its box."""
    try:
        # Unshaped: shaping would put a dotted circle before a mark that the font does not have.
        face = _face(file, 24, shaped=False)
        mask, box = face.getmask(character), face.getmask(_NEVER_ASSIGNED)
    except (OSError, ValueError):
        return False  # a font of images in other sizes, or a damaged one
    if mask.getbbox() is None:
        return False
    return mask.size != box.size or bytes(mask) != bytes(box)
