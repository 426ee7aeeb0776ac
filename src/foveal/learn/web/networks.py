"""The tables that the page's explorer draws: what the engine says of each operation."""

from __future__ import annotations

from typing import Any, Final

from foveal.inspection import Inspection, OpRow, inspect
from foveal.inspection.picture.component import component
from foveal.inspection.picture.picture import picture_of
from foveal.models.sources import open_network

# What to look at, and in a few words what it is.
NETWORKS: Final[tuple[tuple[str, str], ...]] = (
    ("foveal:cifar_net", "A small network for CIFAR-10"),
    ("foveal:vgg16", "VGG-16, 2014"),
    ("foveal:resnet18", "ResNet-18, 2015"),
)


def network_tables(model: str | None = None) -> list[dict[str, Any]]:
    """Returns the tables, a network of one's own first, each with its ``drawing`` as markup.

    Raises:
        UnknownModelError: There is no such model.
        TraceError: It cannot be followed.
    """
    own = [] if model is None else [(model, f"Yours: {model}")]
    listed = (*own, *NETWORKS)
    return [_table(spec, title, number) for number, (spec, title) in enumerate(listed)]


def _table(spec: str, title: str, number: int) -> dict[str, Any]:
    resolved = open_network(spec, weights="none")
    shape = resolved.input_shape
    table: Inspection = inspect(resolved.module, shape, name=spec)
    size = table.inputs[0].shape[-2:]
    return {
        "name": spec,
        "title": title,
        "size": list(size),
        "channels": table.inputs[0].shape[1],
        "parameters": table.totals.parameters,
        "rows": [_row(row) for row in table.ops],
        "drawing": component(picture_of(table), name=f"drawn-{number}"),
    }


def _row(row: OpRow) -> dict[str, Any]:
    field = row.receptive_field
    return {
        "name": row.name,
        "kind": row.kind.replace("_", " "),
        "shape": list(row.output_shape[1:]),
        "parameters": row.parameters,
        "macs": row.macs.value,
        "field": _axes(field.size),
        "stride": _axes(field.effective_stride),
        "start": _axes(field.start),
        "global": bool(field.is_global) and all(field.is_global),
        "reason": field.reason or "",
    }


def _axes(values: tuple[Any, ...]) -> list[float] | None:
    """Returns one number an axis, or nothing where one is unknown."""
    if not values or any(value is None for value in values):
        return None
    return [int(value) if value == int(value) else float(value) for value in values]
