"""What is written in and beside a box: the table's own numbers, in the table's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.graph.graph import Kind
from foveal.graph.quantity import Quantity, total
from foveal.graph.receptive_field import ReceptiveField
from foveal.inspection import wording
from foveal.inspection.inspection import Inspection, OpRow
from foveal.inspection.picture.parts import Part
from foveal.inspection.picture.picture import Node, Picture
from foveal.text import count_noun

Overlay = Literal["shape", "parameters", "macs", "memory", "field"]
OVERLAYS: tuple[tuple[Overlay, str], ...] = (
    ("shape", "Shape"),
    ("parameters", "Parameters"),
    ("macs", "MACs"),
    ("memory", "Memory"),
    ("field", "Receptive field"),
)

Family = Literal["conv", "dense", "norm", "act", "pool", "merge", "move", "other"]
_FAMILIES: dict[Family, str] = {
    "conv": "conv conv_transpose deform_conv",
    "dense": "linear matmul recurrent attention embedding",
    "norm": "batch_norm layer_norm group_norm instance_norm norm",
    "act": "activation softmax dropout",
    "pool": "max_pool avg_pool adaptive_pool global_pool max_unpool interpolate pixel_shuffle",
    "merge": "add sub mul div concat stack",
    "move": "split slice flatten reshape permute expand roll pad unfold copy assign",
}
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds.split()}
FAMILY_WORDS: tuple[tuple[Family, str], ...] = (
    ("conv", "convolution"),
    ("dense", "linear, attention"),
    ("norm", "normalisation"),
    ("act", "activation"),
    ("pool", "pooling, resizing"),
    ("merge", "merge"),
    ("move", "moved values"),
    ("other", "other"),
)


def family(kind: Kind) -> Family:
    """Returns the colour of a kind of operation."""
    return _FAMILY_OF.get(kind, "other")


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures of one part, summed over the copies that it stands for.

    Attributes:
        texts: What is written for each overlay, in their order.
        shares: For colour, 0 to 1, in the same order: of the network's parameters, MACs and
            memory, and of the image's longer side; 0 for the shape and where unknown.
        parameters: Sum over its rows.
        macs: Sum over its rows.
        activation_bytes: Sum over its rows.
    """

    texts: tuple[str, ...]
    shares: tuple[float, ...]
    parameters: int
    macs: Quantity[int]
    activation_bytes: int


def rows_of(table: Inspection, part: Part) -> tuple[OpRow, ...]:
    """Returns the rows of all copies."""
    return table.ops[part.first : part.last + 1]


def facts_of(table: Inspection, part: Part) -> Facts:
    """Returns the figures of a part."""
    rows = rows_of(table, part)
    parameters = sum(row.parameters for row in rows)
    macs = total(row.macs for row in rows)
    memory = sum(row.activation_bytes for row in rows)
    seen = rows[-1].receptive_field
    totals = table.totals
    return Facts(
        texts=(
            wording.shape_text(rows[-1].output_shape) or "one number",
            parameter_text(rows),
            macs_text(macs),
            f"{wording.short_bytes(memory)} of memory" if memory else "no new memory",
            field_text(seen),
        ),
        shares=(
            0.0,
            _share(parameters, totals.parameters),
            _share(macs.value, totals.macs.value),
            _share(memory, totals.activation_bytes.value),
            _field_share(table, seen),
        ),
        parameters=parameters,
        macs=macs,
        activation_bytes=memory,
    )


def parameter_text(rows: tuple[OpRow, ...]) -> str:
    """Returns how many parameters rows have, and where shared ones are counted."""
    count = sum(row.parameters for row in rows)
    if count:
        is_frozen = not any(row.trainable_parameters for row in rows)
        return f"{count:,} {'frozen ' if is_frozen else ''}parameters"
    shared = [row.shared_with for row in rows if row.shared_with is not None]
    return f"shared with {shared[0]}" if shared else "no parameters"


def macs_text(macs: Quantity[int]) -> str:
    """Returns multiply-accumulates in full; a lower bound begins with ≥."""
    if macs.value is None:
        return "MACs unknown"
    if macs == Quantity(0):
        return "no MACs"
    return f"{'≥ ' if macs.status == 'partial' else ''}{macs.value:,} MACs"


def field_text(seen: ReceptiveField) -> str:
    """Returns size and stride of a receptive field."""
    size = wording.field_text(seen)
    if size == wording.UNKNOWN:
        return "field unknown"
    if size == "all":
        return "sees the whole image"
    stride = wording.stride_text(seen)
    return f"field {size}" + (f", stride {stride}" if stride != wording.NONE else "")


def figures(picture: Picture, node: Node) -> str:
    """Returns all figures of a node in one line."""
    table, part = picture.table, node.part
    if node.role == "stop":
        return table.reason or "no reason is known"
    if part is None:
        return "what the network is given" if node.role == "input" else "what it returns"
    copies = f"{part.copies} equal copies; " if part.copies > 1 else ""
    return copies + "; ".join(facts_of(table, part).texts)


def says(picture: Picture, node: Node) -> str:
    """Returns one sentence that says of a node what the drawing shows."""
    if node.role == "stop":
        return f"Not followed further: {figures(picture, node)}"
    if node.part is None:
        return f"{node.title}: {pill_text(picture.table, node)}; {figures(picture, node)}"
    name = node.title or node.part.name
    return f"{name}: {box_text(picture.table, node)}; {figures(picture, node)}"


def box_text(table: Inspection, node: Node) -> str:
    """Returns what a box does, or the class and size of one copy of a group."""
    part = node.part
    if part is None:
        return ""
    if part.line is not None:
        return wording.line_text(part.line)
    inside = table.ops[part.first : part.first + part.size]
    kind = next((row.op.module_type for row in inside if row.op.module_path == part.name), "")
    return f"{kind + ', ' if kind else ''}{count_noun(part.size, 'operation')}"


def pill_text(table: Inspection, node: Node) -> str:
    """Returns the shapes of the inputs or outputs that a node stands for."""
    tensors = table.inputs if node.role == "input" else table.outputs
    shapes = dict.fromkeys(wording.shape_text(tensors[k].shape) for k in node.indices)
    return ", ".join(shapes) or "one number"


def unknown_reason(table: Inspection, part: Part) -> str | None:
    """Returns why some figure of a part is unknown, None where all are known."""
    for row in rows_of(table, part):
        if row.macs.reason is not None:
            return row.macs.reason
    return None


def _share(value: int | None, whole: int | None) -> float:
    return value / whole if value and whole else 0.0


def _field_share(table: Inspection, seen: ReceptiveField) -> float:
    if seen.status == "unavailable" or not table.inputs:
        return 0.0
    if any(seen.is_global):
        return 1.0
    sizes = [float(size) for size in seen.size if size is not None]
    longest = max(table.inputs[0].shape[2:], default=0)
    return min(1.0, max(sizes) / longest) if sizes and longest else 0.0
