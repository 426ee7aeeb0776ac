"""Two networks beside each other, with what is equal in both matched.

Operations are matched in order by what they are (kind, settings, shapes, counts), as lines of
two texts are: a network before and after surgery, or two of one family.
"""

from __future__ import annotations

from difflib import SequenceMatcher

from foveal.inspection.blocks import structure_of
from foveal.inspection.comparison import Comparison
from foveal.inspection.inspection import Inspection
from foveal.inspection.picture.component import Layers, component
from foveal.inspection.picture.picture import Node, Picture, picture_of

_MOST_COMPARED = 6000
"""Operations of both together; matching takes their product in time."""

Matches = dict[int, int]
"""For operations of one network, the equal ones of the other."""


def side_by_side(comparison: Comparison) -> str:
    """Returns both pictures; what only one has is marked, what both have is matched."""
    first, second = picture_of(comparison.first), picture_of(comparison.second)
    forth = match_operations(comparison.first, comparison.second)
    drawn = []
    for one, two, matches, name in (
        (first, second, forth, "first"),
        (second, first, None if forth is None else {b: a for a, b in forth.items()}, "second"),
    ):
        layers = Layers() if matches is None else _layers(one, two, matches)
        title = _title(one.table)
        drawn.append(f"<div><h3>{title}</h3>{component(one, layers=layers, name=name)}</div>")
    note = (
        "These networks are too long to match part by part."
        if forth is None
        else "A bold edge: the other network has nothing equal. A dashed edge: some of it is "
        "equal. Choose a box, and its equal in the other picture is outlined."
    )
    return f'<h2>The networks</h2><p>{note}</p><div class="fvp-pair">{"".join(drawn)}</div>'


def match_operations(first: Inspection, second: Inspection) -> Matches | None:
    """Returns which operations are equal, in order; None for networks too long for it."""
    if len(first.ops) + len(second.ops) > _MOST_COMPARED:
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


def _title(table: Inspection) -> str:
    from foveal.inspection.html_tables import text

    return text(table.name)
