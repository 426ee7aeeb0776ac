"""Hostile text made printable, and near names for a wrong word.

File and class names come from outside. They may hold line breaks, terminal escapes,
bytes that are no UTF-8, or markup. Markup is the business of whoever renders markup;
everything else is dealt with here, once.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable


def printable(text: str) -> str:
    r"""Returns ``text`` on one line, with what cannot be shown or stored as UTF-8 escaped.

    Surrogate escapes (file names that are no UTF-8), control characters and
    direction overrides become ``\xNN`` or ``\uNNNN``; all else, emoji included, stays.

    >>> printable("caf\udce9\n\u202e.png")
    'caf\\xe9\\n\\u202e.png'
    """
    return "".join(escape(character) if _is_unsafe(character) else character for character in text)


def _is_unsafe(character: str) -> bool:
    # Zero-width joiners (Cf) hold emoji together, so of the format characters only
    # those that reorder text are dangerous.
    return unicodedata.category(character) in {"Cc", "Cs", "Co", "Zl", "Zp"} or character in (
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def escape(character: str) -> str:
    r"""Returns the escape that stands for a character which cannot be shown.

    >>> escape("\n"), escape("\u0939"), escape("\udce9")
    ('\\n', '\\u0939', '\\xe9')
    """
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a raw byte, carried by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def near_names(word: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Returns up to ``limit`` of ``known`` that look like ``word``, nearest first.

    >>> near_names("resnet81", ["resnet18", "vgg16", "resnet34"])
    ('resnet18', 'resnet34')
    """
    return tuple(difflib.get_close_matches(word, list(known), n=limit, cutoff=0.6))


def fold(text: str, columns: int, *, indent: str = "") -> str:
    r"""Returns ``text`` in lines of at most ``columns``, those after the first below ``indent``.

    Breaks and gaps that are there stay, and so do words that are longer than a line: a path or a
    command has to be copied in one piece.

    >>> fold("a file /of/a/long/name\nis missing", 12)
    'a file\n/of/a/long/name\nis missing'
    """
    from rich.cells import cell_len

    lines: list[str] = []
    for whole in text.split("\n"):
        # Gaps of several spaces are columns of a table.
        line, *rest = re.split(r"(?<=\S)( +)", whole)
        for gap, word in zip(rest[::2], rest[1::2], strict=True):
            tried = line + gap + word
            if line.strip() and cell_len(tried) > columns:
                lines.append(line)
                tried = indent + word
            line = tried
        lines.append(line)
    return "\n".join(lines)


def count_noun(count: int, noun: str, plural: str | None = None) -> str:
    """Returns the count with its noun in the right number.

    >>> count_noun(1, "image"), count_noun(2500, "image"), count_noun(2, "class", "classes")
    ('1 image', '2,500 images', '2 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
