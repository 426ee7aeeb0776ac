"""Layers judged by what their units see: S103, S106."""

from __future__ import annotations

from fractions import Fraction

from foveal.arithmetic import AxisField
from foveal.draw.numbers import percent
from foveal.graph import Graph, Op
from foveal.graph.wiring import dimensions, is_spatial, paddings, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome

MIN_SHARE = 0.1
_WINDOWS = frozenset({"conv", "max_pool", "avg_pool"})

Field = tuple[int, Fraction]
"""Size and effective stride along one axis."""


def unproductive_layers(context: LintContext) -> Outcome:
    """Finds layers whose smallest receptive field covers the input before they add to it.

    Richter et al. 2021 ("Should You Go Deeper?", "border layers"). Where branches merge the
    smallest field counts, since the shortcut still carries detail for the layer to work on.
    """
    graph = context.graph
    convolutions = [op for op in graph.ops if is_spatial(op) and len(op.output_shape) == 4]
    if not convolutions:
        return NotApplicable("there is no 2-d convolution that reads more than one position")
    extent = context.input_shape[1:]
    fields = smallest_fields(graph)
    idle = []
    for op in convolutions:
        before = fields[op.inputs[0].index] if op.inputs[0].kind == "op" else None
        if before is not None and all(
            field[0] >= size for field, size in zip(before, extent, strict=True)
        ):
            idle.append(op)
    total = sum(op.macs.value or 0 for op in convolutions)
    macs = sum(op.macs.value or 0 for op in idle)
    if not idle or macs < MIN_SHARE * total:
        return Checked()
    before = fields[idle[0].inputs[0].index]
    assert before is not None
    return Checked(
        (
            Finding(
                "S103",
                "info",
                idle[0].name,
                f"From {idle[0].name} on, {len(idle)} of {len(convolutions)} spatial "
                f"convolutions ({percent(macs / total)} of their MACs) read units that already see "
                f"{dimensions([field[0] for field in before])} pixels or more of a "
                f"{dimensions(extent)} input: there is no context left to add.",
                "Give larger inputs, stride less in the early layers, or leave these layers out "
                "and compare the validation accuracy.",
                data={
                    "num_layers": len(idle),
                    "share_of_macs": macs / total,
                    "layers": [op.name for op in idle],
                },
            ),
        )
    )


def smallest_fields(graph: Graph) -> tuple[tuple[Field, Field] | None, ...]:
    """Returns for each operation its smallest receptive field over all paths, per axis.

    None where there is no map of positions, or the path could not be followed.
    """
    start: tuple[Field, Field] = ((1, Fraction(1)), (1, Fraction(1)))
    fields: list[tuple[Field, Field] | None] = []
    for op in graph.ops:
        before = [
            fields[source.index] if source.kind == "op" else start
            for source, shape in zip(op.inputs, op.input_shapes, strict=True)
            # A gate of one value a channel (squeeze-and-excitation) brings no map of its own.
            if len(shape) == 4 and shape[2:] == op.input_shapes[0][2:]
        ]
        known = [field for field in before if field is not None]
        if len(op.output_shape) != 4 or not known:
            fields.append(None)
            continue
        height = min((field[0] for field in known), key=lambda pair: pair[0])
        width = min((field[1] for field in known), key=lambda pair: pair[0])
        fields.append((_field_after(op, height, 0), _field_after(op, width, 1)))
    return tuple(fields)


def _field_after(op: Op, field: Field, axis: int) -> Field:
    size, jump = field
    if op.kind in _WINDOWS:
        dilation = sizes(op, "dilation")[axis] if "dilation" in op.attributes else 1
        kernel, stride = sizes(op, "kernel")[axis], sizes(op, "stride")[axis]
        return int(size + dilation * (kernel - 1) * jump), jump * stride
    before, after = op.input_shapes[0][2 + axis], op.output_shape[2 + axis]
    if op.kind in {"add", "concat", "mul", "pad"} or before == after:
        return field
    return size, jump * Fraction(before, after)


def gridding(context: LintContext) -> Outcome:
    """Finds stacks of dilated convolutions whose support, taken exactly, has holes.

    Wang et al. 2018 ("Understanding Convolution for Semantic Segmentation"): support is
    measured on the map where the current resolution begins, since holes there separate the
    map into lattices that never meet. A later layer that fills them settles the matter.
    """
    graph = context.graph
    dilated = [op for op in graph.ops if _is_dilated(op)]
    if not dilated:
        return NotApplicable("no convolution here is dilated")
    found = []
    for op, fields in _ends_of_resolutions(graph):
        worst = max(fields, key=lambda field: field.size - field.pixels_seen)
        culprit = _last_dilated_before(graph, op)
        if culprit is None or not worst.has_holes:
            continue
        found.append(
            Finding(
                "S106",
                "warning",
                culprit.name,
                f"After {culprit.name} (dilation {dimensions(sizes(culprit, 'dilation'))}) a "
                f"unit spans {worst.size} values along an axis of its map and reads only "
                f"{worst.pixels_seen} of them: neighbouring units work on separate lattices.",
                "Vary the dilations without a common factor, such as 1, 2, 5, or follow them "
                "with an undilated convolution, so that the holes close.",
                data={"span": worst.size, "read": worst.pixels_seen},
            )
        )
    unique = {finding.location: finding for finding in found}
    return Checked(tuple(unique.values()))


def _is_dilated(op: Op) -> bool:
    return op.kind == "conv" and any(
        dilation > 1 and kernel > 1
        for dilation, kernel in zip(sizes(op, "dilation"), sizes(op, "kernel"), strict=True)
    )


def _ends_of_resolutions(graph: Graph) -> list[tuple[Op, tuple[AxisField, ...]]]:
    """Returns operations at which a resolution ends, with their support on its first map.

    Strided windows are counted in before they end a resolution: pooling fills holes too.
    """
    start: tuple[AxisField, ...] = (AxisField.of_input(), AxisField.of_input())
    fields: list[tuple[AxisField, ...]] = []
    ends: list[tuple[Op, tuple[AxisField, ...]]] = []
    for op in graph.ops:
        before = [fields[s.index] if s.kind == "op" else start for s in op.inputs]
        now = start
        if len(op.output_shape) == 4 and before:
            if op.kind in _WINDOWS and len(op.input_shapes[0]) == 4:
                now = _through(op, before[0])
                if max(sizes(op, "stride")) > 1:
                    # Branches that stride side by side are judged by what they read together.
                    for beside in _beside(graph, op):
                        seen = _through(beside, before[0])
                        now = tuple(a.merged_with(b) for a, b in zip(now, seen, strict=True))
                    ends.append((op, now))
                    now = start
            else:
                now = _merged(op, before, otherwise=start)
        if not _is_map(op) and before and len(op.input_shapes[0]) == 4:
            # A gate looks at the whole map too, and the map goes on beside it.
            source = op.inputs[0]
            readers = graph.consumers[source.index] if source.kind == "op" else ()
            if not any(_is_map(graph.ops[reader]) for reader in readers):
                ends.append((op, before[0]))
        fields.append(now)
        if not graph.consumers[op.index] and _is_map(op):
            ends.append((op, now))
    return ends


def _is_map(op: Op) -> bool:
    return len(op.output_shape) == 4 and op.output_shape[2:] != (1, 1)


def _merged(
    op: Op, before: list[tuple[AxisField, ...]], *, otherwise: tuple[AxisField, ...]
) -> tuple[AxisField, ...]:
    """Returns the support of what keeps the positions of its inputs.

    Every input that is as large as the result counts, wherever it stands: a gate of one value
    a channel (``gate * x``) reads no position of its own.
    """
    maps = [
        fields
        for fields, shape in zip(before, op.input_shapes, strict=True)
        if len(shape) == 4 and shape[2:] == op.output_shape[2:]
    ]
    if not maps:
        return otherwise
    now = maps[0]
    for other in maps[1:]:
        now = tuple(a.merged_with(b) for a, b in zip(now, other, strict=True))
    return now


def _beside(graph: Graph, op: Op) -> list[Op]:
    """Returns the other windows that take the same tensor to a map of the same size.

    Parts of one tensor count as that tensor: selective kernels may split the channels, and what
    comes before and after mixes them.
    """
    source = op.inputs[0]
    return [
        other
        for other in graph.ops
        if other is not op
        and other.kind in _WINDOWS
        and (other.inputs[0].kind, other.inputs[0].index) == (source.kind, source.index)
        and sizes(other, "stride") == sizes(op, "stride")
        and other.output_shape[2:] == op.output_shape[2:]
    ]


def _through(op: Op, fields: tuple[AxisField, ...]) -> tuple[AxisField, ...]:
    dilation = sizes(op, "dilation") if "dilation" in op.attributes else (1, 1)
    return tuple(
        field.through_convolution(kernel=kernel, stride=stride, padding=pad[0], dilation=spread)
        for field, kernel, stride, pad, spread in zip(
            fields, sizes(op, "kernel"), sizes(op, "stride"), paddings(op), dilation, strict=True
        )
    )


def _last_dilated_before(graph: Graph, op: Op) -> Op | None:
    """Returns the nearest dilated convolution at or before ``op`` on any path to it."""
    waiting, known = [op.index], {op.index}
    while waiting:
        index = max(waiting)
        waiting.remove(index)
        if _is_dilated(graph.ops[index]):
            return graph.ops[index]
        for source in graph.ops[index].inputs:
            if source.kind == "op" and source.index not in known:
                known.add(source.index)
                waiting.append(source.index)
    return None
