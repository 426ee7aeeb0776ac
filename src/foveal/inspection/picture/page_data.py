"""What the page's script is given: the levels, the figures, and what each operation sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from foveal.inspection import wording
from foveal.inspection.inspection import OpRow
from foveal.inspection.picture.facts import OVERLAYS, facts_of, macs_text, parameter_text
from foveal.inspection.picture.marks import Mark, marked_nodes
from foveal.inspection.picture.picture import Node, Picture, View
from foveal.text import printable


def page_data(
    picture: Picture,
    *,
    marks: Sequence[Mark] = (),
    states: Mapping[int, str] | None = None,
    twins: Mapping[int, int] | None = None,
    activations: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Returns JSON values; lists are positional to keep the page small.

    Args:
        picture: What is shown.
        marks: Findings with their locations.
        states: For each node's number, how it compares with the other network.
        twins: For each node's number, the number of the equal one in the other picture.
        activations: For operations by index, a picture of their result as a data address.
    """
    table = picture.table
    marked = marked_nodes(picture, marks)
    shape = table.inputs[0].shape if table.inputs else ()
    return {
        "name": printable(table.name),
        "size": list(shape[2:]) if len(shape) == 4 else [],
        "overlays": [name for name, _ in OVERLAYS],
        "open": sorted(picture.first_open),
        "top": _view(picture, picture.top),
        "ops": [_op(row) for row in table.ops],
        "marks": [
            [
                mark.code,
                mark.severity,
                printable(mark.title),
                printable(mark.text),
                "\n".join(map(printable, mark.page.splitlines())),
            ]
            for mark in marks
        ],
        "marked": {str(number): found for number, found in marked.items()},
        "states": {str(number): state for number, state in (states or {}).items()},
        "twins": {str(number): other for number, other in (twins or {}).items()},
        "activations": {str(index): uri for index, uri in (activations or {}).items()},
        "reason": printable(table.reason or ""),
    }


def _view(picture: Picture, view: View) -> dict[str, Any]:
    grid = view.grid
    return {
        "nodes": [
            [*_node(picture, node), grid.rows[k], grid.tracks[k], int(grid.is_alone[k])]
            for k, node in enumerate(view.nodes)
        ],
        "wires": [
            [
                wire.source, wire.source_port, wire.target, wire.target_port,
                -1 if (lane := grid.lanes[k]) is None else lane, int(grid.is_shortcut[k]),
            ]
            for k, wire in enumerate(view.wires)
        ],
        "lanes": [int(is_lane) for is_lane in grid.is_lane],
        "leaving": view.num_leaving,
    }  # fmt: skip


def _node(picture: Picture, node: Node) -> list[Any]:
    if node.role in ("enter", "leave"):  # a port has nothing but its position
        return [node.number, node.role]
    part = node.part
    facts = None if part is None else facts_of(picture.table, part)
    return [
        node.number,
        node.role,
        round(node.width),
        round(node.height),
        printable(node.title),
        0 if node.inside is None else _view(picture, node.inside),
        0 if part is None else [part.first, part.size, part.copies, printable(part.name)],
        [] if facts is None else [printable(text) for text in facts.texts],
        [] if facts is None else [round(share, 4) for share in facts.shares],
    ]


def _op(row: OpRow) -> list[Any]:
    seen = row.receptive_field
    return [
        printable(row.name),
        printable(wording.op_text(row.op)),
        wording.shape_text(row.output_shape),
        printable(parameter_text((row,))),
        macs_text(row.macs),
        wording.short_bytes(row.activation_bytes),
        _axes(seen.size),
        _axes(seen.effective_stride),
        _axes(seen.start),
        int(bool(seen.is_global) and all(seen.is_global)),
        printable(seen.reason or row.macs.reason or ""),
        list(row.output_shape[2:]) if len(row.output_shape) == 4 else [],
    ]


def _axes(values: Sequence[int | Fraction | None]) -> list[float] | None:
    """Returns one number an axis, or nothing where one is unknown."""
    if len(values) != 2 or any(value is None for value in values):
        return None
    return [int(v) if v == int(v) else float(v) for v in values if v is not None]
