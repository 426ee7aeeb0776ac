"""The course's little markup as lines of a terminal."""

from __future__ import annotations

import re

from foveal.draw.text_layout import COLUMNS, Role, Style, plain, wrap
from foveal.learn.markup import BLOCK, SPAN
from foveal.text import printable

_BLOCK_INDENT = "    "


def render(text: str, *, style: Style = plain, columns: int = COLUMNS, indent: str = "") -> str:
    r"""Returns the text wrapped, with code and stress styled and fenced blocks set apart.

    >>> print(render("Use `eval()`.\n\n```\n1 + 1 = 2\n```"))
    Use eval().
    <BLANKLINE>
        1 + 1 = 2
    """
    parts = []
    for index, part in enumerate(BLOCK.split(text)):
        if index % 2:
            room = columns - len(indent) - len(_BLOCK_INDENT)
            lines = [short for line in part.split("\n") for short in _fitting(line, room)]
            parts.append("\n".join(f"{indent}{_BLOCK_INDENT}{line}" for line in lines))
        elif part.strip():
            parts.append(_paragraphs(part.strip(), style, columns, indent))
    return "\n\n".join(parts)


def capitalised(label: str) -> str:
    """Returns the label with a capital, unless it begins with a name of code or mathematics.

    >>> capitalised("height of the map"), capitalised("kernel_size"), capitalised("y[0][1]")
    ('Height of the map', 'kernel_size', 'y[0][1]')
    """
    begins_with_word = re.match(r"[a-z]{2,}(?![\w\[.(])", label) is not None
    return f"{label[:1].upper()}{label[1:]}" if begins_with_word else label


def styled(text: str, style: Style = plain) -> str:
    """Returns text that is laid out already with its marks replaced by styles."""

    def replace(found: re.Match[str]) -> str:
        role: Role = "info" if found[1] else "number"
        lines = (found[1] or found[2] or found[3]).split("\n")
        # A style never crosses a line: the next line begins with its indent.
        return "\n".join(_styled_line(line, style, role) for line in lines)

    return SPAN.sub(replace, text)


def _styled_line(line: str, style: Style, role: Role) -> str:
    space = line[: len(line) - len(line.lstrip())]
    return space + style(line.lstrip(), role) if line.strip() else line


def _paragraphs(text: str, style: Style, columns: int, indent: str) -> str:
    return "\n\n".join(
        styled(
            "\n".join(wrap(line, columns=columns, indent=indent) for line in paragraph.split("\n")),
            style,
        )
        for paragraph in re.split(r"\n\s*\n", text)
    )


def _fitting(line: str, room: int) -> list[str]:
    """Returns a line of code broken after commas, where brackets let Python go on reading."""
    line = printable(line)
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines = []
    while len(line) > room and (cut := line.rfind(", ", len(indent), room)) > 0:
        lines.append(line[: cut + 1])
        line = indent + line[cut + 2 :]
    return [*lines, line]
