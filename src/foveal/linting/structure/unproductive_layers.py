"""S103: convolutions that come after everything has been seen."""

from __future__ import annotations

from fractions import Fraction

from foveal.draw.numbers import percent
from foveal.graph import Graph, Op
from foveal.graph.wiring import dimensions, is_spatial, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

MIN_SHARE = 0.1
_WINDOWS = frozenset({"conv", "max_pool", "avg_pool"})

Field = tuple[int, Fraction]
"""Size and effective stride along one axis."""


def check(context: LintContext) -> Outcome:
    """Finds layers whose smallest receptive field covers the input before they add to it.

    Richter et al. 2021 ("Should You Go Deeper?", "border layers"). Where branches merge the
    smallest field counts, since the shortcut still carries detail for the layer to work on.
    """
    graph = context.graph
    convolutions = [op for op in graph.ops if is_spatial(op) and len(op.output_shape) == 4]
    if not convolutions:
        return NotApplicable("there is no 2-d convolution that reads more than one place")
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

    None where there is no map of places, or the path could not be followed.
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
        fields.append((_step(op, height, 0), _step(op, width, 1)))
    return tuple(fields)


def _step(op: Op, field: Field, axis: int) -> Field:
    size, jump = field
    if op.kind in _WINDOWS:
        dilation = sizes(op, "dilation")[axis] if "dilation" in op.attributes else 1
        kernel, stride = sizes(op, "kernel")[axis], sizes(op, "stride")[axis]
        return int(size + dilation * (kernel - 1) * jump), jump * stride
    before, after = op.input_shapes[0][2 + axis], op.output_shape[2 + axis]
    if op.kind in {"add", "concat", "mul", "pad"} or before == after:
        return field
    return size, jump * Fraction(before, after)


RULE = Rule("S103", "layers that see the whole input already", "info", check, (15, 5))
