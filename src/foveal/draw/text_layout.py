"""Laying text out on 80 columns of a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from foveal.draw.width import display_width, pad, shorten_middle
from foveal.text import printable

COLUMNS = 80

Role = Literal["heading", "number", "good", "quiet", "error", "warning", "info"]
Style = Callable[[str, Role], str]
"""Adds colour to a finished piece of a line; called after layout, so widths stay right."""


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
    pieces = []
    for word in re.split(r"\s+", text.strip()):
        while display_width(word) > room:
            taken = 1
            while taken < len(word) and display_width(word[: taken + 1]) <= room:
                taken += 1
            pieces.append(word[:taken])
            word = word[taken:]
        pieces.append(word)
    return pieces
