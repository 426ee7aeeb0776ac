"""The drawing for papers: a style with its colours written out, and the drawing as PNG.

Browsers alone know the style sheet of the page, with its named colours and its two themes. What
sets papers (LaTeX through Inkscape or rsvg, Word) and what makes the PNG would draw black boxes.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape, unescape
from typing import Any

from foveal.draw.svg import element
from foveal.draw.text_layout import shorten_middle
from foveal.errors import FovealError, MissingExtraError

_PIXELS_FOR_ONE = 2.0
"""Twice what a screen has: sharp in print."""

_MOST_COLUMNS = 22  # of a box, for escapes that are longer than what they stand for
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_NAMED = re.compile(r"(--[\w-]+)\s*:\s*([^;]+)")


@cache
def paper_style(sheet: str) -> str:
    """Returns the light one of two themes, without anything that only a pointer or a key shows.

    >>> paper_style(".a { --ink: #111; } .a text { fill: var(--ink); } .a:hover { fill: red; }")
    '.a text{fill: #111;}'
    """
    light = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet)
    colours = dict(_NAMED.findall(light))
    kept = []
    for selector, body in _RULE.findall(light):
        if ":" in selector or _NAMED.search(body) or "cursor" in body:
            continue
        written = re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], body)
        kept.append(f"{selector.strip()}{{{written.strip()}}}")
    return "".join(kept)


def draw_png(svg: str) -> bytes:
    """Returns a drawing of ``draw_svg`` as PNG, two pixels for each of its units.

    Raises:
        MissingExtraError: The package resvg-py is not installed.
        FovealError: It cannot draw this, or the system has no font.
    """
    resvg = find_engine()
    from foveal.draw.lettering import Font, has_fonts

    if not has_fonts():
        raise FovealError(
            "A PNG is drawn with the fonts of this system, and it has none.",
            next_step="Install one, such as DejaVu Sans, or write --svg.",
        )
    font = Font(12)

    def lettered(found: re.Match[str]) -> str:
        # Its own search for fonts misses some, and draws an empty box for what no font has.
        text = unescape(found[2])
        shown = font.shown(text)
        parts = font.families(text if shown == text else shorten_middle(shown, _MOST_COLUMNS))
        return found[1] + "".join(
            element("tspan", escape(part), font_family=f"'{family}'") for family, part in parts
        )

    svg = re.sub(r"(<text[^>]*>)([^<]*[^\x00-\x7f×·–…][^<]*)", lettered, svg)
    try:
        return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=_PIXELS_FOR_ONE))
    except ValueError as error:
        raise FovealError(
            f"The drawing cannot be made a PNG: {error}.", next_step="Write --svg instead."
        ) from error


def find_engine() -> Any:
    """Returns the package that makes a PNG of an SVG.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import resvg_py
    except ImportError:
        raise MissingExtraError("resvg-py", purpose="A PNG of the drawing") from None
    return resvg_py
