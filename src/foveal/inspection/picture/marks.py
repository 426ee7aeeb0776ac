"""What others found at locations in a network, to be shown there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foveal.inspection.picture.picture import Node, Picture


@dataclass(frozen=True, slots=True)
class Mark:
    """One finding of the linter, or of whoever else looks.

    Attributes:
        location: Name of a layer, an operation or a module; ``""`` is the whole network.
        code: Such as ``"S101"``.
        severity: How grave it is.
        title: What the rule is called.
        text: The evidence and what to do.
        page: The rule's page as plain text; ``""`` where there is none.
    """

    location: str
    code: str
    severity: Literal["error", "warning", "info"]
    title: str
    text: str
    page: str = ""


def marked_nodes(picture: Picture, marks: Sequence[Mark]) -> dict[int, list[int]]:
    """Returns, for each node's number, which of ``marks`` lie in it.

    A group bears the marks of all that is inside, so that a closed one shows them too; a part
    that stands for several bears those of every copy.
    """
    first_at: dict[str, list[int]] = {}
    for row in picture.table.ops:
        path = row.op.module_path
        for name in {row.name, path, *_prefixes(path)}:
            first_at.setdefault(name, []).append(row.op.index)
    found: dict[int, list[int]] = {}
    for number, mark in enumerate(marks):
        indices = first_at.get(mark.location, [])
        if not mark.location or not indices:
            continue
        for node in _holders(picture, indices[0], indices[-1]):
            found.setdefault(node.number, []).append(number)
    return found


def _prefixes(path: str) -> list[str]:
    words = path.split(".")
    return [".".join(words[:end]) for end in range(1, len(words))]


def _holders(picture: Picture, first: int, last: int) -> list[Node]:
    """Returns the smallest part that holds the operations, and all groups around it."""
    nodes: list[Node] = []
    parts = picture.top.parts
    while True:
        for node in parts:
            part = node.part
            if part is not None and part.first <= first and last <= part.last:
                break
        else:
            return nodes
        nodes.append(node)
        if node.inside is None:
            return nodes
        size = part.size
        if (first - part.first) // size != (last - part.first) // size:
            return nodes
        first, last = part.in_first_copy(first), part.in_first_copy(last)
        parts = node.inside.parts
