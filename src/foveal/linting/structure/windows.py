"""Windows that miss values, read padding, or pool the wrong values: S105, S108, S126."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph import Graph, Kind, Op, Source, cut_points
from foveal.graph.wiring import (
    SAME_NUMBERS,
    dimensions,
    is_output,
    is_spatial,
    paddings,
    producer,
    sizes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.structure.receptive_fields import smallest_fields

_WINDOWS = frozenset({"conv", "max_pool", "avg_pool"})
# What hands positions on as they are; queries, keys and values are parts of one tensor.
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


def unseen_values(context: LintContext) -> Outcome:
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

    A tensor that the network returns is read by its caller. Looks back through what keeps
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


WARNING_SHARE = 0.75


def mostly_padding(context: LintContext) -> Outcome:
    """Finds convolutions that span more than their input, so that they read padding mostly.

    A 3×3 on a map of one position multiplies eight ninths of its weights by zero. Networks with
    very large kernels exceed their last map on purpose, to see all of it: below three
    quarters of padding the finding is an information.
    """
    graph = context.graph
    spatial = [op for op in graph.ops if is_spatial(op) and op.kind == "conv"]
    if not spatial:
        return NotApplicable("no convolution reads more than one position")
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


# Pools of 2 to 4 are usual; from 8 on a window is meant to be the rest of the map.
LARGE = 8
# So many times wider than what its units see: nothing relates the units that are merged.
BLIND = 3
_FIRST = frozenset({"conv", "conv_transpose"})
_TURNS = frozenset({"permute", "reshape", "flatten", "other"})


def wrong_pooling(context: LintContext) -> Outcome:
    """Finds windows far wider than what their units see, and means across channels and one axis.

    Only where everything passes: what goes beside a pool is not lost. A window that covers the
    whole map is a global pool.
    """
    graph = context.graph
    everything = {point.op_index for point in cut_points(graph)}
    findings = []
    for op in graph.ops:
        if op.index not in everything:
            continue
        if op.kind in {"max_pool", "avg_pool"}:
            finding = _blind_window(context, op)
        else:
            finding = _across_channels(graph, op)
        if finding is not None:
            findings.append(finding)
    return Checked(tuple(findings))


def _blind_window(context: LintContext, op: Op) -> Finding | None:
    before = producer(context.graph, op)
    if before is None or len(op.output_shape) != 4 or min(op.output_shape[2:]) < 2:
        return None
    field = smallest_fields(context.graph)[before.index]
    kernel, stride = sizes(op, "kernel"), sizes(op, "stride")
    if field is None or min(kernel) < LARGE or min(stride) < LARGE:
        return None
    seen = [int(size) for size, _ in field]
    window = [int(k * jump) for k, (_, jump) in zip(kernel, field, strict=True)]
    if any(w <= BLIND * s for w, s in zip(window, seen, strict=True)):
        return None
    before_map, after_map = op.input_shapes[0][2:], op.output_shape[2:]
    return Finding(
        "S126",
        "warning",
        op.name,
        f"{op.name} keeps one of {kernel[0]} × {kernel[1]} positions ({before_map[0]} × "
        f"{before_map[1]} becomes {after_map[0]} × {after_map[1]}) of units that see "
        f"{seen[0]} × {seen[1]} pixels: how what they found is arranged is lost before any layer "
        "could look at it.",
        "Pool by 2, with convolutions between; or pool globally at the end.",
        data={"kernel": list(kernel), "field_before": seen},
    )


def _across_channels(graph: Graph, op: Op) -> Finding | None:
    dims = op.attributes.get("dims")
    if op.kind != "reduce" or not isinstance(dims, tuple) or len(op.input_shapes[0]) != 4:
        return None
    axes = {dim % 4 for dim in dims if isinstance(dim, int)}
    if axes not in ({1, 2}, {1, 3}) or not _has_channels_second(graph, op):
        return None
    _, channels, height, width = op.input_shapes[0]
    left = width if 2 in axes else height
    return Finding(
        "S126",
        "warning",
        op.name,
        f"{op.name} reduces over the channels and one axis of a map of {channels} × {height} × "
        f"{width}: what is left is {left} numbers, one for each "
        f"{'column' if 2 in axes else 'row'}, and no channel.",
        "Reduce over both axes of positions: mean((2, 3)).",
        data={"dims": sorted(axes)},
    )


def _has_channels_second(graph: Graph, op: Op) -> bool:
    """Whether the map comes from a convolution without its axes having been moved."""
    before = producer(graph, op)
    while before is not None and before.kind not in _FIRST:
        if before.kind in _TURNS or before.kind in SAME_NUMBERS - {"copy", "dropout"}:
            return False
        before = producer(graph, before)
    return before is not None
