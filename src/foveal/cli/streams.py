"""Standard streams that take every result, and colours where a terminal wants them.

A Windows pipe speaks cp1252, ``LANG=C`` may mean ASCII, a service may start with no stdout at
all. None of these may cost a user the work that was done before the first line was printed.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from foveal.text import fold

if TYPE_CHECKING:
    from foveal.reporting import Role, Style


_LOOKS: dict[Role, dict[str, Any]] = {
    "heading": {"bold": True},
    "number": {"bold": True},
    "good": {"fg": "green"},
    "quiet": {"dim": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "info": {"fg": "cyan"},
}


def terminal_style() -> Style:
    """Returns a style with colours if stdout is a terminal that wants them.

    ``NO_COLOR`` (https://no-color.org), where it is set and not empty, turns them off.
    """
    from foveal.reporting import plain

    wanted = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return _colour if wanted and not os.environ.get("NO_COLOR") else plain


def _colour(text: str, role: Role) -> str:
    return click.style(text, **_LOOKS[role])


_COLUMNS = 80

# What the tables use, in letters that every encoding has and of the same width.
_PLAIN_LETTERS = str.maketrans(
    {
        "…": "~",
        "·": ".",
        "×": "x",
        "−": "-",
        "–": "-",
        "—": "-",
        "≤": "<",
        "≥": ">",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "─": "-",
        "│": "|",
        "┌": "+",
        "┐": "+",
        "└": "+",
        "┘": "+",
        "░": ".",
        "▒": ":",
        "▓": "%",
        "█": "#",
        "■": "#",
        "✓": "+",
        "✗": "x",
        "÷": "/",
        "⋅": ".",
        "∗": "*",
        "≈": "~",
        "∞": "inf",
        "√": "sqrt",
        "°": " degrees",
        "²": "^2",
        "━": "-",
        "═": "=",
        "•": "*",
        "±": "~",
        "ü": "u",
        "⅓": "1/3",
        "⅔": "2/3",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
    }
)


def _plain_or_escaped(error: UnicodeError) -> tuple[str, int]:
    r"""An error handler of ``codecs``: a plain letter that looks alike, else ``\uNNNN``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_PLAIN_LETTERS)
    return letters.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("foveal", _plain_or_escaped)


def open_standard_streams() -> None:
    """Opens the streams that are closed, and makes the others take every letter."""
    # In this order: a closed descriptor is given to the next file that is opened, and results
    # of a library that writes to descriptor 1 would end up inside it.
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            with contextlib.suppress(OSError):
                os.fstat(descriptor)  # open after all, but unusable to Python
                descriptor = -1
            opened = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            if descriptor not in (-1, opened.fileno()):
                os.dup2(opened.fileno(), descriptor)
            setattr(sys, name, opened)
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="foveal")


def takes_every_letter(stream: TextIO) -> bool:
    """Returns whether nothing that is written to ``stream`` has to be replaced."""
    return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")


def fitted(text: str) -> str:
    """Returns sentences for stderr as lines of 80 columns, if a terminal shows them."""
    if not sys.stderr.isatty():
        return text
    return fold(text, min(_COLUMNS, shutil.get_terminal_size().columns))


def discard_output(stream: TextIO) -> None:
    """Sends what is still buffered, and all that follows, nowhere.

    Python flushes at its end, and would report the same failure again as a traceback.
    """
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
