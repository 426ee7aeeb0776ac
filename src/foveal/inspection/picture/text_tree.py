"""The picture as text: a tree that a screen reader walks, and that needs no script."""

from __future__ import annotations

from html import escape

from foveal.inspection.picture.facts import says
from foveal.inspection.picture.picture import Node, Picture, View
from foveal.text import printable


def text_tree(picture: Picture) -> str:
    """Returns nested lists; groups open with the browser's own means."""
    return _list(picture, picture.top)


def _list(picture: Picture, view: View) -> str:
    names = {
        k: node.title for k, node in enumerate(view.nodes) if node.role not in ("enter", "leave")
    }
    items = []
    for k, node in enumerate(view.nodes):
        if node.role in ("enter", "leave"):
            continue
        sources = [names.get(wire.source, "outside") for wire in view.wires if wire.target == k]
        # In a plain chain the order says it.
        before = names.get(k - 1, "outside")
        reads = "" if sources in ([], [before]) else f"; reads {', '.join(dict.fromkeys(sources))}"
        items.append(f"<li>{_item(picture, node, reads)}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _item(picture: Picture, node: Node, reads: str) -> str:
    text = escape(printable(says(picture, node) + reads))
    if node.inside is None:
        return text
    inner = _list(picture, node.inside)
    return f"<details><summary>{text}</summary>{inner}</details>"
