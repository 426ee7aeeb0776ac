"""How the last feature map becomes class scores: S102, S104."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph import Graph, Kind, Op
from foveal.graph.wiring import (
    SAME_NUMBERS,
    dimensions,
    output_op,
    paddings,
    producer,
    producer_through,
    sizes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.models.surgery.replace_head import norms_in_head

# Below a million parameters, or a fifth of the network, the layer is no giant: LeNet's is
# three quarters of a network of sixty thousand.
MIN_PARAMETERS = 1_000_000
MIN_SHARE = 0.2
WARNING_SHARE = 0.5


def flattened_head(context: LintContext) -> Outcome:
    """Finds the linear layer that reads a flattened map and outweighs the network."""
    head = context.head
    if head.kind not in {"flattened linear", "flattened MLP"} or head.features is None:
        return NotApplicable(f"no map is flattened with its positions: {head.reason}")
    graph = context.graph
    first = graph.op(head.linear_layers[0])
    parameters = sum(graph.parameter(name).count for name in first.parameters)
    share = parameters / max(1, graph.parameter_count)
    if parameters < MIN_PARAMETERS or share < MIN_SHARE:
        return Checked()
    features = graph.op(head.features)
    num_channels, *positions = features.output_shape[1:]
    size = dimensions(positions)
    num_classes = head.num_classes or 0
    after = num_channels * num_classes + num_classes
    fixed = producer_through(graph, first, {"flatten", "reshape", "dropout", "copy", "permute"})
    any_size = first.kind == "conv" or (fixed is not None and fixed.kind == "adaptive_pool")
    return Checked(
        (
            Finding(
                "S102",
                "warning" if share >= WARNING_SHARE else "info",
                first.name,
                f"{first.name} reads a flattened map of {num_channels:,}×{size} and holds "
                f"{parameters:,} of {graph.parameter_count:,} parameters ({percent(share)})"
                + ("." if any_size else f"; it works at {_input_size(context)} pixels only."),
                f"Average over the {size} positions (global average pooling) and put one linear "
                f"layer of {after:,} parameters on the {num_channels:,} channels. Keep the "
                "flattening only where the position of things in the image is what counts.",
                fix_id="pool-head" if first.kind == "linear" else None,
                data={
                    "parameters": parameters,
                    "share": share,
                    "parameters_after": after,
                    "channels": num_channels,
                    "linear_layers": list(head.linear_layers),
                    "num_classes": num_classes,
                    "norms": list(norms_in_head(graph, head)),
                },
            ),
        )
    )


def _input_size(context: LintContext) -> str:
    return dimensions(context.input_shape[1:])


MIN_POSITIONS = 3
_AFTER_POOLING: frozenset[Kind] = SAME_NUMBERS | {
    "linear",
    "conv",
    "activation",
    "softmax",
    "batch_norm",
    "layer_norm",
}


def small_final_map(context: LintContext) -> Outcome:
    """Finds a pooled head that is given a map of 1×1 or 2×2."""
    pool = _last_pool(context.graph)
    if pool is None:
        return NotApplicable("no global pooling of a map stands before the output")
    if _is_convolved_whole(context.graph, pool):
        return NotApplicable("a kernel as large as its map reads all positions: a linear layer")
    shape = pool.input_shapes[0]
    positions, extent = shape[2:], context.input_shape[1:]
    if min(positions) >= MIN_POSITIONS or min(extent) < MIN_POSITIONS:
        return Checked()
    shrink = max(size // max(1, position) for size, position in zip(extent, positions, strict=True))
    needed = 4 * shrink
    one = max(positions) == 1
    return Checked(
        (
            Finding(
                "S104",
                "warning" if one else "info",
                pool.name,
                f"An input of {dimensions(extent)} leaves a last map of {dimensions(positions)}: "
                f"the network shrinks {shrink} times, so {pool.name} averages over "
                + ("a single position." if one else f"{positions[0] * positions[1]} positions."),
                f"Resize images to {needed} pixels or more, or remove strides from the first "
                "layers (for small images: a 3×3 stem of stride 1 without max pooling).",
                data={"map": list(positions), "input": list(extent), "shrinks": shrink},
            ),
        )
    )


def _last_pool(graph: Graph) -> Op | None:
    """Returns the global pooling that the classifier reads."""
    op = output_op(graph)
    while op is not None:
        is_mean = (
            op.kind == "reduce" and op.function == "mean" and op.attributes.get("dims") == (2, 3)
        )
        if (op.kind == "global_pool" or is_mean) and len(op.input_shapes[0]) == 4:
            return op
        after_pooling = len(op.output_shape) == 2 or op.output_shape[2:] == (1, 1)
        op = producer(graph, op) if after_pooling and op.kind in _AFTER_POOLING else None
    return None


def _is_convolved_whole(graph: Graph, pool: Op) -> bool:
    """Whether the map became one position by a convolution that reads all of it, unpadded."""
    op = producer(graph, pool)
    while op is not None and op.input_shapes and op.input_shapes[0][2:] == (1, 1):
        op = producer(graph, op)
    if op is None or op.kind != "conv" or op.output_shape[2:] != (1, 1):
        return False
    return sizes(op, "kernel") == op.input_shapes[0][2:] and not any(map(any, paddings(op)))
