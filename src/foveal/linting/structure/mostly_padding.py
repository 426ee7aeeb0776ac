"""S108: windows larger than the map they slide over."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph import Graph, Op
from foveal.graph.wiring import dimensions, is_spatial, paddings, producer, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

WARNING_SHARE = 0.75


def check(context: LintContext) -> Outcome:
    """Finds convolutions that span more than their input, so that they read padding mostly.

    A 3×3 on a map of one place multiplies eight ninths of its weights by zero. Networks with
    very large kernels exceed their last map on purpose, to see all of it: below three
    quarters of padding the finding is an information.
    """
    graph = context.graph
    spatial = [op for op in graph.ops if is_spatial(op) and op.kind == "conv"]
    if not spatial:
        return NotApplicable("no convolution reads more than one place")
    found = []
    for op in spatial:
        extent, before = _extent_and_padding(graph, op)
        spans = tuple(
            dilation * (kernel - 1) + 1
            for kernel, dilation in zip(sizes(op, "kernel"), sizes(op, "dilation"), strict=True)
        )
        if all(span <= size for span, size in zip(spans, extent, strict=True)):
            continue
        share = share_on_padding(op, extent, before)
        if share < 0.5:
            continue
        found.append(
            Finding(
                "S108",
                "warning" if share >= WARNING_SHARE else "info",
                op.name,
                f"{op.name} spans {dimensions(spans)} on a map of {dimensions(extent)}: "
                f"{percent(share)} of its taps fall on padding.",
                "Give larger inputs, stride less before this layer, or use a smaller kernel "
                "or dilation here.",
                data={"share_on_padding": share, "map": list(extent), "span": list(spans)},
            )
        )
    return Checked(tuple(found))


def share_on_padding(op: Op, extent: tuple[int, ...], before: tuple[int, ...]) -> float:
    """Returns the share of taps, over all outputs, that read no value of the map."""
    inside = 1.0
    for axis, size in enumerate(extent):
        kernel, stride = sizes(op, "kernel")[axis], sizes(op, "stride")[axis]
        units = op.output_shape[2 + axis]
        hits = sum(
            0 <= unit * stride - before[axis] + tap * sizes(op, "dilation")[axis] < size
            for unit in range(units)
            for tap in range(kernel)
        )
        inside *= hits / (units * kernel)
    return 1 - inside


def _extent_and_padding(graph: Graph, op: Op) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the size of the map and the padding before it, a separate ``pad`` counted in."""
    extent = op.input_shapes[0][2:]
    before = tuple(pair[0] for pair in paddings(op))
    pad = producer(graph, op)
    if pad is not None and pad.kind == "pad" and len(pad.input_shapes[0]) == len(op.output_shape):
        pairs = tuple(reversed(paddings(pad)))[-len(extent) :]
        if len(pairs) == len(extent):
            extent = pad.input_shapes[0][2:]
            before = tuple(own + pair[0] for own, pair in zip(before, pairs, strict=True))
    return extent, before


RULE = Rule("S108", "kernel larger than its input", "warning", check, (2, 15))
