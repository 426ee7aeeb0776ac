"""Layers in a row that add less than they cost: S109, S110, S121."""

from __future__ import annotations

from foveal.graph import Graph, Kind, Op
from foveal.graph.wiring import (
    SAME_NUMBERS,
    WEIGHTED,
    channels,
    groups,
    is_depthwise,
    producer,
    sizes,
    sole_consumer,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome

# He et al. 2015: 18 plain layers train as well as 18 residual ones, 34 do worse.
INFO_LAYERS = 20
WARNING_LAYERS = 30
_JOINS = frozenset({"add", "concat", "stack"})


def plain_stack(context: LintContext) -> Outcome:
    """Finds long runs of weighted layers between which nothing is added or concatenated.

    He et al. 2015 ("Deep Residual Learning for Image Recognition"), figure 4. A depthwise
    convolution and its pointwise one count as one layer.
    """
    graph = context.graph
    if not any(op.kind in WEIGHTED for op in graph.ops):
        return NotApplicable("there is no convolution and no linear layer")
    runs: list[tuple[int, int]] = []
    longest, last = (0, -1), -1
    for op in graph.ops:
        before = [runs[source.index] for source in op.inputs if source.kind == "op"]
        joins = op.kind in _JOINS and len(op.inputs) > 1
        length, first = (0, -1) if joins else max(before, default=(0, -1))
        if op.kind in WEIGHTED and not is_depthwise(op):
            length, first = length + 1, op.index if first < 0 else first
        runs.append((length, first))
        if length > longest[0]:
            longest, last = (length, first), op.index
    if longest[0] < INFO_LAYERS:
        return Checked()
    begin, end = graph.ops[longest[1]].name, graph.ops[last].name
    return Checked(
        (
            Finding(
                "S109",
                "warning" if longest[0] >= WARNING_LAYERS else "info",
                begin,
                f"From {begin} to {end} stand {longest[0]} weighted layers in a row, and no "
                "shortcut joins them anywhere.",
                "Add the input of every two or three layers to their output (y = F(x) + x), "
                "with a 1×1 convolution where the shapes differ.",
                data={"num_layers": longest[0], "first": begin, "last": end},
            ),
        )
    )


# Batch norm is an affine map of each channel as soon as its statistics are given. Across a
# permutation two layers act on different axes (rows, then columns): that is no single map.
_PASSES: frozenset[Kind] = (SAME_NUMBERS - {"permute"}) | {"batch_norm", "pad"}

_IN_SEPARABLE_BLOCK: frozenset[Kind] = frozenset(
    {"batch_norm", "activation", "mul", "dropout", "copy", "elementwise"}
)


def linear_after_linear(context: LintContext) -> Outcome:
    """Finds pairs of weighted layers that are one linear map, written as two.

    A pair is deliberate, and no finding, where it is a factorisation: depthwise or grouped
    with pointwise, k×1 with 1×k, through fewer channels than either side has, or the linear end
    of a separable block before the next one expands it (linear bottlenecks, MobileNetV2,
    Sandler et al. 2018). Between two 1×1 convolutions it may be that too, seen from afar, and
    a 1×1 that reduces channels before a larger kernel saves weights (FCN scores its map before
    it enlarges it), so there it is an information.
    """
    graph = context.graph
    weighted = [op for op in graph.ops if op.kind in WEIGHTED]
    if len(weighted) < 2:
        return NotApplicable("there are not two weighted layers")
    found = []
    for first in weighted:
        path = _to_next(graph, first)
        if path is None:
            continue
        second = path[-1]
        if _is_factorisation(graph, first, second):
            continue
        between = " and ".join(op.name for op in path[:-1] if op.kind == "batch_norm")
        found.append(
            Finding(
                "S110",
                "info" if _may_be_meant(first, second) else "warning",
                second.name,
                f"{first.name} ({_widths(first)}) feeds {second.name} ({_widths(second)}) "
                + (f"through {between} alone, " if between else "directly, ")
                + "so the two are a single linear map with the cost of both.",
                "Put the activation that was meant between them, or merge the two into one layer.",
                data={"first": first.name, "second": second.name},
            )
        )
    return Checked(tuple(found))


def _to_next(graph: Graph, first: Op) -> list[Op] | None:
    """Returns the operations up to the next weighted layer, if only linear ones lie between."""
    path: list[Op] = []
    op: Op | None = sole_consumer(graph, first)
    while op is not None and len(op.inputs) == 1:
        path.append(op)
        if op.kind in WEIGHTED:
            return path
        if op.kind not in _PASSES or (op.kind == "pad" and op.attributes["mode"] != "constant"):
            return None
        op = sole_consumer(graph, op)
    return None


def _is_factorisation(graph: Graph, first: Op, second: Op) -> bool:
    if groups(first) > 1 or groups(second) > 1:
        return True
    if _is_projection(graph, first) and _is_pointwise(first) and _is_pointwise(second):
        return True
    middle = channels(first)[1]
    if middle < min(channels(first)[0], channels(second)[1]):
        return True
    kernels = [sizes(op, "kernel") for op in (first, second) if op.kind != "linear"]
    # Along each axis only one of the two has an extent: k×1 then 1×k.
    return (
        len(kernels) == 2
        and all(max(kernel) > 1 for kernel in kernels)
        and all(1 in pair for pair in zip(*kernels, strict=False))
    )


def _is_pointwise(op: Op) -> bool:
    return op.kind == "conv" and max(sizes(op, "kernel")) == 1


def _may_be_meant(first: Op, second: Op) -> bool:
    before, after = channels(first)
    return _is_pointwise(first) and (_is_pointwise(second) or after < before)


def _is_projection(graph: Graph, op: Op) -> bool:
    """Whether a depthwise convolution feeds it: the linear end of a separable block."""
    before = producer(graph, op)
    while (
        before is not None
        and before.kind in _IN_SEPARABLE_BLOCK
        and before.output_shape in before.input_shapes
    ):
        # Of a gate's two factors, the map and not the one value for each channel.
        position = before.input_shapes.index(before.output_shape)
        before = producer(graph, before, position)
    return before is not None and is_depthwise(before)


def _widths(op: Op) -> str:
    before, after = channels(op)
    return f"{before:,} to {after:,}"


# Batch norm is linear once its statistics are given; so is all that only moves numbers.
_LINEAR: frozenset[Kind] = frozenset(
    SAME_NUMBERS
    | WEIGHTED
    | {
        "batch_norm",
        "avg_pool",
        "global_pool",
        "add",
        "sub",
        "concat",
        "stack",
        "split",
        "slice",
        "expand",
        "roll",
        "pad",
        "interpolate",
        "pixel_shuffle",
        "unfold",
    }
)


def linear_network(context: LintContext) -> Outcome:
    """Looks for anything that is not linear between the first and the last weighted layer."""
    graph = context.graph
    weighted = [op.index for op in graph.ops if op.kind in WEIGHTED]
    if len(weighted) < 2:
        return NotApplicable("there are not two weighted layers")
    between = graph.ops[weighted[0] : weighted[-1] + 1]
    if any(op.kind not in _LINEAR and not _is_average(op.kind, op.function) for op in between):
        return Checked()
    first, last = graph.ops[weighted[0]].name, graph.ops[weighted[-1]].name
    return Checked(
        (
            Finding(
                "S121",
                "warning",
                first,
                f"From {first} to {last} stand {len(weighted)} weighted layers and nothing that is "
                "not linear: together they are one linear map, and deeper is not stronger.",
                "Put an activation (ReLU) behind each layer but the last.",
                data={"num_layers": len(weighted)},
            ),
        )
    )


def _is_average(kind: Kind, function: str) -> bool:
    return kind in {"adaptive_pool", "reduce"} and function in {"avg", "mean", "sum"}
