"""How wide a text is on a grid of characters, and shortening it to fit."""

from __future__ import annotations

import unicodedata

from foveal.text import printable

ELLIPSIS = "…"


def display_width(text: str) -> int:
    r"""Returns the columns that ``text`` takes in a terminal.

    East Asian wide characters and emoji take two, combining marks none.

    >>> display_width("abc"), display_width("日本"), display_width("e\u0301")
    (3, 4, 1)
    """
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def shorten_end(text: str, columns: int) -> str:
    """Returns printable ``text`` cut at its end to at most ``columns``.

    >>> shorten_end("functional", 6)
    'funct…'
    """
    text = printable(text)
    if display_width(text) <= columns:
        return text
    return _take(text, columns - 1).rstrip() + ELLIPSIS if columns > 0 else ""


def shorten_middle(text: str, columns: int) -> str:
    """Returns printable ``text`` cut in its middle to at most ``columns``.

    The end gets the larger part: a path's last name tells more than its first.

    >>> shorten_middle("images/functional/cell0001.png", 20)
    'images/…cell0001.png'
    """
    text = printable(text)
    if display_width(text) <= columns:
        return text
    if columns <= 2:
        return shorten_end(text, columns)
    tail = _take(text[::-1], (columns - 1) * 2 // 3)[::-1]
    return _take(text, columns - 1 - display_width(tail)) + ELLIPSIS + tail


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Returns ``text`` filled with spaces to ``columns``; ``right`` aligns it right."""
    space = " " * max(0, columns - display_width(text))
    return space + text if right else text + space


def _take(text: str, columns: int) -> str:
    taken, used = [], 0
    for character in text:
        used += _character_width(character)
        if used > columns:
            break
        taken.append(character)
    return "".join(taken)
