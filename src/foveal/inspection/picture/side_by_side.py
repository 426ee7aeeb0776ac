"""Two networks beside each other, with what is equal in both matched.

Operations are matched in order by what they are (kind, settings, shapes, counts), as lines of
two texts are: a network before and after surgery, or two of one family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from html import escape

from foveal.draw.svg import element, number, words
from foveal.draw.text_layout import shorten_middle
from foveal.inspection.blocks import structure_of
from foveal.inspection.comparison import Comparison
from foveal.inspection.inspection import Inspection
from foveal.inspection.picture.arrangement import arrange
from foveal.inspection.picture.component import Layers, component, still
from foveal.inspection.picture.drawing import Pencil, paper_svg
from foveal.inspection.picture.facts import Overlay
from foveal.inspection.picture.marks import Mark
from foveal.inspection.picture.picture import Node, Picture, picture_of
from foveal.text import printable

_MOST_COMPARED = 6000
"""Operations of both together; matching takes their product in time."""

_NAME = 28.0  # the line with a network's name, in the drawing for papers
_BETWEEN = 24.0
_LETTER = 7.5

Matches = dict[int, int]
"""For operations of one network, the equal ones of the other."""


def side_by_side(
    comparison: Comparison, *, first: Layers | None = None, second: Layers | None = None
) -> str:
    """Returns both pictures; what only one has is marked, what both have is matched.

    Args:
        comparison: What is shown.
        first: What else is laid over the first picture.
        second: What else is laid over the second.
    """
    drawn = ""
    for (picture, matched), more, name in zip(
        _pair(comparison), (first, second), ("first", "second"), strict=True
    ):
        over = replace(more or Layers(), states=matched.states, twins=matched.twins)
        title = escape(printable(picture.table.name))
        drawn += f"<div><h3>{title}</h3>{component(picture, layers=over, name=name)}</div>"
    note = f"{_note(comparison)} Choose a box, and its equal in the other picture is outlined."
    return f'<h2>The networks</h2><p>{note}</p><div class="fvp-pair">{drawn}</div>'


def still_pair(comparison: Comparison) -> str:
    """Returns both drawings with their text, for where no script runs."""
    drawn = ""
    for picture, matched in _pair(comparison):
        title = escape(printable(picture.table.name))
        drawn += f"<div><h3>{title}</h3>{still(picture, layers=matched)}</div>"
    return f'<p>{_note(comparison)}</p><div class="fvp-pair">{drawn}</div>'


def draw_pair_svg(
    comparison: Comparison,
    *,
    overlay: Overlay = "shape",
    marks: tuple[Sequence[Mark], Sequence[Mark]] = ((), ()),
) -> str:
    """Returns both drawings in one SVG for papers, each under its name.

    Args:
        comparison: What is drawn.
        overlay: What the last line of a box says.
        marks: Findings of the first and of the second, shown as badges.
    """
    pieces, left, tall = [], 0.0, 0.0
    for (picture, layers), found in zip(_pair(comparison), marks, strict=True):
        arrangement = arrange(picture)
        pencil = Pencil(picture, found, overlay, states=layers.states, words_for="a tip")
        room = int(arrangement.width / _LETTER)
        name = shorten_middle(printable(picture.table.name), room)
        middle = arrangement.width / 2
        pieces.append(
            element(
                "g",
                words(name, class_="fvp-title", x=middle, y=_NAME - 8, text_anchor="middle"),
                element("g", pencil.layers(arrangement), transform=f"translate(0 {number(_NAME)})"),
                transform=f"translate({number(left)} 0)",
            )
        )
        left, tall = left + arrangement.width + _BETWEEN, max(tall, arrangement.height)
    names = f"{comparison.first.name} and {comparison.second.name}"
    return paper_svg(names, *pieces, width=left - _BETWEEN, height=tall + _NAME)


def _pair(comparison: Comparison) -> tuple[tuple[Picture, Layers], tuple[Picture, Layers]]:
    """Returns both pictures, each with how it compares with the other."""
    first, second = picture_of(comparison.first), picture_of(comparison.second)
    forth = match_operations(comparison.first, comparison.second)
    if forth is None:
        return (first, Layers()), (second, Layers())
    back = {b: a for a, b in forth.items()}
    return (first, _layers(first, second, forth)), (second, _layers(second, first, back))


def _note(comparison: Comparison) -> str:
    if _is_too_long(comparison.first, comparison.second):
        return "These networks are too long to match part by part."
    return "A bold edge: the other network has nothing equal. A dashed edge: some of it is equal."


def _is_too_long(first: Inspection, second: Inspection) -> bool:
    return len(first.ops) + len(second.ops) > _MOST_COMPARED


def match_operations(first: Inspection, second: Inspection) -> Matches | None:
    """Returns which operations are equal, in order; None for networks too long for it."""
    if _is_too_long(first, second):
        return None
    known: dict[tuple[object, ...], int] = {}
    own, other = (
        [known.setdefault(structure_of(row), len(known)) for row in table.ops]
        for table in (first, second)
    )
    blocks = SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}


def _layers(one: Picture, two: Picture, matches: Matches) -> Layers:
    states: dict[int, str] = {}
    twins: dict[int, int] = {}
    for node in one.nodes():
        part = node.part
        if part is None:
            continue
        own = range(part.first, part.last + 1)
        equal = [matches[index] for index in own if index in matches]
        states[node.number] = "same" if len(equal) == len(own) else "partly" if equal else "not"
        if equal:
            twin = _smallest(two, equal[0], equal[-1])
            if twin is not None:
                twins[node.number] = twin.number
    return Layers(states=states, twins=twins)


def _smallest(picture: Picture, first: int, last: int) -> Node | None:
    """Returns the smallest part that holds the operations from ``first`` to ``last``."""
    found: Node | None = None
    parts = picture.top.parts
    while True:
        node = next(
            (n for n in parts if n.part and n.part.first <= first and last <= n.part.last), None
        )
        if node is None or node.part is None:
            return found
        found, part = node, node.part
        if (
            node.inside is None
            or (first - part.first) // part.size != (last - part.first) // part.size
        ):
            return found
        first, last = part.in_first_copy(first), part.in_first_copy(last)
        parts = node.inside.parts
