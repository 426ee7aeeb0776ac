"""The drawing as SVG: boxes with a coloured edge, groups as frames, wires between them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from html import escape, unescape
from typing import Literal

from foveal.draw.svg import Value, element, number, words
from foveal.draw.text_layout import shorten_end, shorten_middle, wrap
from foveal.inspection.picture.arrangement import BAR, LEAST_OPEN, Arrangement, Box, Path, arrange
from foveal.inspection.picture.facts import (
    OVERLAYS,
    Overlay,
    box_text,
    facts_of,
    family,
    figures,
    pill_text,
    unknown_reason,
)
from foveal.inspection.picture.marks import Mark, marked_nodes
from foveal.inspection.picture.paper import paper_style
from foveal.inspection.picture.picture import Node, Picture
from foveal.text import printable

_EDGE = 6.0
_TITLE_COLUMNS = 24
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")


def draw_svg(
    picture: Picture,
    *,
    opened: Collection[int] | None = None,
    overlay: Overlay = "shape",
    marks: Sequence[Mark] = (),
    states: Mapping[int, str] | None = None,
    paper: Literal["white", "the page's"] = "white",
) -> str:
    """Returns the picture as an SVG of its own, for papers or within a page.

    Args:
        picture: What is drawn.
        opened: Numbers of the groups that are open; those of first sight if None.
        overlay: What the last line of a box says.
        marks: Findings, shown as badges.
        states: For each node's number, how it compares with another network.
        paper: White with a style of its own, or what the page around it has.
    """
    arrangement = arrange(picture, opened)
    pencil = Pencil(picture, marks, overlay, states=states, words_for="a tip")
    if paper == "white":
        return paper_svg(
            picture.table.name,
            pencil.layers(arrangement),
            width=arrangement.width,
            height=arrangement.height,
        )
    return _svg(
        picture.table.name,
        pencil.layers(arrangement),
        width=arrangement.width,
        height=arrangement.height,
    )


def paper_svg(title: str, *drawn: str, width: float, height: float) -> str:
    """Returns a drawing of its own on white, which more than browsers can read.

    Args:
        title: May be hostile; it is escaped here.
        drawn: Finished markup, such as ``Pencil.layers``.
        width: Of the drawing.
        height: Of the drawing.
    """
    return _svg(
        title,
        element("style", paper_style(style())),
        element("rect", class_="fvp-paper", width="100%", height="100%"),
        *drawn,
        width=width,
        height=height,
    )


def _svg(title: str, *drawn: str, width: float, height: float) -> str:
    return element(
        "svg",
        element("title", escape(printable(title))),
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        class_="fvp-svg",
        role="img",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
    )


class Pencil:
    """Draws the parts of one picture.

    Each bears what it is in words: as the name of a button, as a tip where nothing answers to a
    click, or not yet, where a script will add them.
    """

    def __init__(
        self,
        picture: Picture,
        marks: Sequence[Mark] = (),
        overlay: Overlay = "shape",
        states: Mapping[int, str] | None = None,
        words_for: Literal["a button", "a tip", "a script"] = "a button",
    ) -> None:
        self._picture = picture
        self._table = picture.table
        self._marks = marks
        self._marked = marked_nodes(picture, marks)
        self._overlay = [name for name, _ in OVERLAYS].index(overlay)
        self._states = states or {}
        self._words_for = words_for

    def layers(self, arrangement: Arrangement) -> str:
        """Returns frames, then wires, then boxes, so that nothing hides what it should not."""
        frames = [self._placed(box) for box in arrangement.boxes if box.is_open]
        boxes = [self._placed(box) for box in arrangement.boxes if not box.is_open]
        return (
            element("g", *frames, class_="fvp-frames")
            + element("g", *map(wire, arrangement.paths), class_="fvp-wires")
            + element("g", *boxes, class_="fvp-boxes")
        )

    def _placed(self, box: Box) -> str:
        drawn = self.frame(box.node, box.width, box.height) if box.is_open else self.box(box.node)
        # A drawing at its own origin moves as a whole.
        return drawn.replace(
            "<g ", f'<g transform="translate({number(box.x)} {number(box.y)})" ', 1
        )

    def frame(self, node: Node, width: float, height: float) -> str:
        """Returns an open group: a frame, and a bar with its title."""
        part = node.part
        assert part is not None
        copies = f"×{part.copies}" if part.copies > 1 else ""
        one = ", one drawn" if part.copies > 1 else ""
        return self._button(
            node,
            element("rect", class_="fvp-frame", width=width, height=height, rx=7),
            element("rect", class_="fvp-bar", width=width, height=BAR, rx=7),
            self._title(node, x=12.0, y=22.0, more=f" {copies}{one}" if copies else ""),
            words("−", class_="fvp-sign", x=width - 14, y=22, text_anchor="middle"),
            # Where it is on the least wide frame, so that a script moves it with the width.
            self._badge(node, x=LEAST_OPEN - 34, y=17.0, right=width - LEAST_OPEN),
            kind="fvp-open",
            expanded="true",
        )

    def box(self, node: Node) -> str:
        """Returns a closed box at the origin."""
        if node.role == "stop":
            return self._stop(node)
        if node.part is None:
            return self._pill(node)
        part, wide, tall = node.part, node.width, node.height
        is_group = node.inside is not None
        facts = facts_of(self._table, part)
        size = {"width": wide, "height": tall, "rx": 6}
        pieces = [
            element("rect", class_="fvp-behind", x=behind, y=behind, **size)
            for behind in ((8.0, 4.0) if part.copies > 1 else ())
        ]
        pieces += [
            element("rect", class_="fvp-box", **size),
            self._cost(facts.shares[self._overlay], wide, tall),
            self._edge(node),
        ]
        # In the order of reading: the name of a box begins with what is seen of it.
        room = int((wide - 22) / 6.1)
        value = shorten_end(facts.texts[self._overlay], room)
        doing = shorten_end(box_text(self._table, node), room)
        is_low = tall < 50  # a merge
        if is_low:
            pieces.append(words(shorten_end(doing, 15), class_="fvp-title", x=14, y=17))
        else:
            pieces.append(self._title(node, x=16.0, y=19.0))
        if part.copies > 1:
            right = wide - (28 if is_group else 10)
            pieces.append(
                words(f"×{part.copies}", class_="fvp-times", x=right, y=19, text_anchor="end")
            )
        if is_group:
            pieces.append(words("+", class_="fvp-sign", x=wide - 14, y=19, text_anchor="middle"))
        pieces.append(self._badge(node, x=wide - 1.0, y=0.0))
        if not is_low:
            pieces.append(words(doing, class_="fvp-soft", x=16, y=35.5))
        below = {"x": 14, "y": 33} if is_low else {"x": 16, "y": 52.5}
        pieces.append(words(value, class_="fvp-value", **below))
        if unknown_reason(self._table, part) is not None:
            pieces.append(
                words("?", class_="fvp-unknown", x=wide - 12, y=tall - 9, text_anchor="middle")
            )
        state = self._states.get(node.number)
        kind = "fvp-part" + (" fvp-group" if is_group else "") + (f" fvp-{state}" if state else "")
        return self._button(node, *pieces, kind=kind, expanded="false" if is_group else "")

    def _button(self, node: Node, *pieces: str, kind: str, expanded: str = "") -> str:
        drawn = " ".join(filter(None, pieces))  # a blank, or words would be read as one
        attributes: dict[str, Value] = {"class_": f"fvp-n {kind}", "data_n": str(node.number)}
        if self._words_for == "a script":  # which names it when it is shown
            return element("g", drawn, **attributes)
        # The name begins with what is seen, so that who speaks to the page can say it.
        seen = " ".join(unescape(text) for text in _TEXT.findall(drawn))
        name = printable(f"{seen}; {self._more(node)}")
        if self._words_for == "a tip":
            return element("g", element("title", escape(name)), drawn, **attributes)
        attributes |= {"role": "button", "tabindex": "-1"}
        if expanded:
            attributes["aria_expanded"] = expanded
        return element("g", drawn, **attributes, aria_label=name)

    def _more(self, node: Node) -> str:
        number_of_marks = len(self._marked.get(node.number, ()))
        found = f"; {number_of_marks} found here" if number_of_marks else ""
        state = self._states.get(node.number)
        return figures(self._picture, node) + found + (f"; {state} in both" if state else "")

    def _title(self, node: Node, *, x: float, y: float, more: str = "") -> str:
        part = node.part
        room = _TITLE_COLUMNS - (
            0 if part is None or more else 3 * (part.copies > 1) + 2 * (node.inside is not None)
        )
        name = node.title or (part.name if part is not None else "")
        return words(shorten_middle(name, room) + more, class_="fvp-title", x=x, y=y)

    def _cost(self, share: float, wide: float, tall: float) -> str:
        return element(
            "rect",
            class_="fvp-cost",
            width=wide,
            height=tall,
            rx=6,
            fill_opacity=number(0.8 * share**0.4),
        )

    def _edge(self, node: Node) -> str:
        """Returns the coloured edge: the layer, and below it what acts on its result."""
        part, tall = node.part, node.height
        assert part is not None
        if part.line is None:
            return ""
        kinds = [family(row.kind) for row in part.line.rows]
        kinds = [kinds[0], *[kind for kind in kinds[1:] if kind != "move"]][:4]
        own = 1.0 if len(kinds) == 1 else 0.55
        below = len(kinds) - 1
        shares = [own, *[(1 - own) / max(1, below)] * below]
        pieces, y = [], 0.0
        for kind, share in zip(kinds, shares, strict=True):
            size = share * (tall - 8)
            pieces.append(
                element("rect", class_=f"fvp-k-{kind}", x=3, y=4 + y, width=_EDGE, height=size - 1)
            )
            y += size
        return "".join(pieces)

    def _badge(self, node: Node, *, x: float, y: float, right: float = 0.0) -> str:
        found = self._marked.get(node.number)
        if not found:
            return ""
        severities = {self._marks[k].severity for k in found}
        worst = next(name for name in ("error", "warning", "info") if name in severities)
        return element(
            "g",
            element("circle", cx=x, cy=y, r=8),
            words(str(len(found)), x=x, y=y + 4, text_anchor="middle"),
            class_=f"fvp-badge fvp-{worst}",
            transform=f"translate({number(right)} 0)",
        )

    def _pill(self, node: Node) -> str:
        wide, tall = node.width, node.height
        return self._button(
            node,
            element("rect", class_="fvp-pill", width=wide, height=tall, rx=tall / 2),
            words(
                shorten_middle(node.title, 20),
                class_="fvp-title", x=wide / 2, y=18, text_anchor="middle",
            ),
            words(
                shorten_end(pill_text(self._table, node), 22),
                class_="fvp-soft", x=wide / 2, y=33, text_anchor="middle",
            ),
            kind="fvp-end",
        )  # fmt: skip

    def _stop(self, node: Node) -> str:
        lines = wrap(self._table.reason or "No reason is known.", columns=46).splitlines()
        if len(lines) > 4:
            lines = [*lines[:3], lines[3][:44] + "…"]
        return self._button(
            node,
            element("rect", class_="fvp-stop", width=node.width, height=node.height, rx=6),
            words("Not followed further", class_="fvp-title", x=14, y=20),
            *(words(line, class_="fvp-soft", x=14, y=38 + 15 * k) for k, line in enumerate(lines)),
            kind="fvp-end",
        )


def wire(path: Path) -> str:
    """Returns one wire; a shortcut has a colour of its own."""
    class_ = "fvp-wire" + (" fvp-shortcut" if path.is_shortcut else "")
    return element("path", class_=class_, d=path_data(path))


def path_data(path: Path) -> str:
    """Returns the commands of a wire."""
    (x, y), *rest = path.points
    parts = [f"M{number(x)} {number(y)}"]
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2 == 0 or abs(to_x - x) < 0.5:
            if (to_x, to_y) != (x, y):
                parts.append(f"L{number(to_x)} {number(to_y)}")
        else:
            half = number((y + to_y) / 2)
            parts.append(f"C{number(x)} {half} {number(to_x)} {half} {number(to_x)} {number(to_y)}")
        x, y = to_x, to_y
    if path.has_head:  # an arrow's head, drawn with the wire
        parts.append("m-4 -6l4 6l4 -6")
    return "".join(parts)


@cache
def style() -> str:
    """Returns the style sheet of the drawing."""
    from importlib.resources import files

    return (files("foveal.inspection.picture") / "drawing.css").read_text("utf-8")
