"""S105: a stride that steps over values."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph import Graph, Kind, Op, Source
from foveal.graph.wiring import SAME_NUMBERS, dimensions, is_output, paddings, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

_WINDOWS = frozenset({"conv", "max_pool", "avg_pool"})
# What hands places on as they are; queries, keys and values are parts of one tensor.
_IN_PLACE: frozenset[Kind] = SAME_NUMBERS | {
    "batch_norm",
    "layer_norm",
    "activation",
    "elementwise",
    "concat",
    "pad",
    "slice",
    "split",
}


def check(context: LintContext) -> Outcome:
    """Finds strided windows that leave values unread which nothing else reads either.

    The shortcut of a residual network (1×1, stride 2) skips three values of four as well,
    but the branch beside it reads the same tensor whole; that is no finding.
    """
    graph = context.graph
    strided = [op for op in graph.ops if op.kind in _WINDOWS and max(sizes(op, "stride")) > 1]
    if not strided:
        return NotApplicable("no convolution or pooling here has a stride")
    found = []
    for op in strided:
        lost = share_unseen(op)
        if lost == 0 or _is_read_elsewhere(graph, op, op.inputs[0]):
            continue
        kernel, stride = dimensions(sizes(op, "kernel")), dimensions(sizes(op, "stride"))
        dilation = dimensions(sizes(op, "dilation")) if "dilation" in op.attributes else "1"
        spread = f", dilation {dilation}" if set(dilation) - set("1×") else ""
        found.append(
            Finding(
                "S105",
                "warning",
                op.name,
                f"{op.name} steps {stride} with a kernel of {kernel}{spread}: {percent(lost)} of "
                f"the {dimensions(op.input_shapes[0][2:])} values it is given are read by nothing.",
                "Make the kernel at least as large as the stride, or stride in a layer with a "
                "larger kernel (as ResNet v1.5 does: in the 3×3, not in the 1×1).",
                data={"share_unseen": lost},
            )
        )
    return Checked(tuple(found))


def share_unseen(op: Op) -> float:
    """Returns the share of values between the first and the last window that are in none."""
    seen = 1.0
    for axis in range(len(sizes(op, "kernel"))):
        size = op.input_shapes[0][2 + axis]
        kernel, stride = sizes(op, "kernel")[axis], sizes(op, "stride")[axis]
        dilation = sizes(op, "dilation")[axis] if "dilation" in op.attributes else 1
        first = paddings(op)[axis][0]
        read = {
            unit * stride - first + dilation * tap
            for unit in range(op.output_shape[2 + axis])
            for tap in range(kernel)
        }
        inside = {position for position in read if 0 <= position < size}
        if inside:
            seen *= len(inside) / (max(inside) - min(inside) + 1)
    return 1 - seen


def _is_read_elsewhere(graph: Graph, op: Op, source: Source) -> bool:
    """Whether something beside ``op`` reads all of a tensor, or all of what it was made from.

    A tensor that the network returns is read by whoever gets it. Looks back through what keeps
    every value in its place: a shortcut may have a normalisation and an activation of its own.
    """
    if any(other is not op and _reads_all(graph, other) for other in _readers(graph, source)):
        return True
    if source.kind == "op" and is_output(graph, graph.ops[source.index]):
        return True
    if source.kind != "op" or graph.ops[source.index].kind not in _IN_PLACE:
        return False
    before = graph.ops[source.index]
    return all(_is_read_elsewhere(graph, before, earlier) for earlier in before.inputs)


def _reads_all(graph: Graph, op: Op) -> bool:
    if op.kind in _WINDOWS:
        return share_unseen(op) == 0
    if op.kind not in _IN_PLACE or is_output(graph, op):
        return True
    return any(_reads_all(graph, graph.ops[index]) for index in graph.consumers[op.index])


def _readers(graph: Graph, source: Source) -> list[Op]:
    if source.kind == "op":
        return [graph.ops[index] for index in graph.consumers[source.index]]
    return [op for op in graph.ops if source in op.inputs]


RULE = Rule("S105", "values that a stride steps over", "warning", check, (2, 15))
