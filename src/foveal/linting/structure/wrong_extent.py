"""S126: pooling over the wrong extent."""

from __future__ import annotations

from foveal.graph import Graph, Op, cut_points
from foveal.graph.wiring import SAME_NUMBERS, producer, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.structure.unproductive_layers import smallest_fields

# Pools of 2 to 4 are usual; from 8 on a window is meant to be the rest of the map.
LARGE = 8
# So many times wider than what its units see: nothing relates the units that are merged.
BLIND = 3
_FIRST = frozenset({"conv", "conv_transpose"})
_TURNS = frozenset({"permute", "reshape", "flatten", "other"})


def check(context: LintContext) -> Outcome:
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
        f"{op.name} keeps one of {kernel[0]} × {kernel[1]} places ({before_map[0]} × "
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
        "Reduce over both axes of places: mean((2, 3)).",
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


RULE = Rule("S126", "pooling over the wrong extent", "warning", check, (3,))
