"""Laying text out on 80 columns of a terminal, and shortening it to fit."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

from rich.cells import cell_len

from foveal.text import printable

ELLIPSIS = "…"
COLUMNS = 80

Role = Literal["heading", "number", "good", "quiet", "error", "warning", "info"]
Style = Callable[[str, Role], str]
"""Adds colour to a finished piece of a line; called after layout, so widths stay right."""


def display_width(text: str) -> int:
    r"""Returns the columns that ``text`` takes in a terminal, as rich counts them.

    East Asian wide characters and emoji take two, combining marks none, and what is joined to
    one sign (a family, a syllable of Hangul or Devanagari) takes no more than the sign.

    >>> display_width("abc"), display_width("日本"), display_width("e\u0301")
    (3, 4, 1)
    """
    return cell_len(text)


def shorten_end(text: str, columns: int) -> str:
    """Returns printable ``text`` cut at its end to at most ``columns``.

    >>> shorten_end("functional", 6)
    'funct…'
    """
    text = printable(text)
    if display_width(text) <= columns:
        return text
    return _start(text, columns - 1).rstrip() + ELLIPSIS if columns > 0 else ""


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
    tail = _end(text, (columns - 1) * 2 // 3)
    return _start(text, columns - 1 - display_width(tail)) + ELLIPSIS + tail


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Returns ``text`` filled with spaces to ``columns``; ``right`` aligns it right."""
    space = " " * max(0, columns - display_width(text))
    return space + text if right else text + space


def _start(text: str, columns: int) -> str:
    """Returns the longest start of ``text`` that takes at most ``columns``."""
    lengths = range(len(text) + 1)
    return text[: bisect_right(lengths, columns, key=lambda n: cell_len(text[:n])) - 1]


def _end(text: str, columns: int) -> str:
    """Returns the longest end of ``text`` that takes at most ``columns``."""
    lengths = range(len(text) + 1)
    first = len(text) - (
        bisect_right(lengths, columns, key=lambda n: cell_len(text[len(text) - n :])) - 1
    )
    return text[first:]


def plain(text: str, role: Role) -> str:
    """Returns the text as it is: the style without colours."""
    return text


def wrap(text: str, *, columns: int = COLUMNS, indent: str = "", first: str | None = None) -> str:
    """Returns ``text`` broken into lines, each after ``indent``, the first after ``first``.

    A word longer than a line is broken, so hostile names cannot run out of the window.

    >>> print(wrap("one two three", columns=9, indent="  "))
      one two
      three
    """
    lines: list[str] = []
    head = indent if first is None else first
    line = ""
    for word in _pieces(printable(text), columns - display_width(indent)):
        room = columns - display_width(head if not lines else indent)
        if line and display_width(line) + 1 + display_width(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return "\n".join(
        ((head if index == 0 else indent) + text).rstrip() for index, text in enumerate(lines)
    )


def columns_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, columns: int = COLUMNS
) -> str:
    """Returns a table whose first column takes what the others leave, aligned left.

    The other columns are as wide as they need to be and aligned right.
    """
    widths = [max(display_width(row[k]) for row in (header, *rows)) for k in range(len(header))]
    widths[0] = min(widths[0], max(8, columns - sum(widths[1:]) - 2 * (len(widths) - 1)))
    return "\n".join(
        "  ".join(
            pad(shorten_middle(cell, widths[k]), widths[k], right=k > 0)
            for k, cell in enumerate(row)
        ).rstrip()
        for row in (header, *rows)
    )


def facts(
    pairs: Sequence[tuple[str, str]],
    *,
    style: Style = plain,
    name_columns: int = 0,
    columns: int = COLUMNS,
) -> str:
    """Returns names on the left, at least ``name_columns`` wide, wrapped texts beside them."""
    longest = max((display_width(name) for name, _ in pairs), default=0)
    width = max(longest, name_columns) + 2
    blocks = []
    for name, text in pairs:
        head = pad(name, width)
        block = wrap(text, columns=columns, indent=" " * width, first=head)
        blocks.append(style(head, "quiet") + block[len(head) :])
    return "\n".join(blocks)


def _pieces(text: str, room: int) -> list[str]:
    """Returns the words of ``text``, those longer than a line broken."""
    words = re.split(r"\s+", text.strip())
    return [piece for word in words for piece in _chopped(word, max(2, room))]


def _chopped(word: str, room: int) -> list[str]:
    """Returns a word in pieces that fit, with every character: rich drops a lone modifier."""
    pieces = []
    while display_width(word) > room:
        start = _start(word, room) or word[0]
        pieces.append(start)
        word = word[len(start) :]
    return [*pieces, word]
