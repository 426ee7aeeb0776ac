"""S104: a last feature map with hardly any places left."""

from __future__ import annotations

from foveal.graph import Graph, Kind, Op
from foveal.graph.wiring import SAME_NUMBERS, dimensions, output_op, paddings, producer, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

MIN_PLACES = 3
_AFTER_POOLING: frozenset[Kind] = SAME_NUMBERS | {
    "linear",
    "conv",
    "activation",
    "softmax",
    "batch_norm",
    "layer_norm",
}


def check(context: LintContext) -> Outcome:
    """Finds a pooled head that is given a map of 1×1 or 2×2."""
    pool = _last_pool(context.graph)
    if pool is None:
        return NotApplicable("no global pooling of a map stands before the output")
    if _is_swallowed(context.graph, pool):
        return NotApplicable("a kernel as large as its map reads all places: a linear layer")
    shape = pool.input_shapes[0]
    places, extent = shape[2:], context.input_shape[1:]
    if min(places) >= MIN_PLACES or min(extent) < MIN_PLACES:
        return Checked()
    shrink = max(size // max(1, place) for size, place in zip(extent, places, strict=True))
    needed = 4 * shrink
    one = max(places) == 1
    return Checked(
        (
            Finding(
                "S104",
                "warning" if one else "info",
                pool.name,
                f"An input of {dimensions(extent)} leaves a last map of {dimensions(places)}: "
                f"the network shrinks {shrink} times, so {pool.name} averages over "
                + ("a single place." if one else f"{places[0] * places[1]} places."),
                f"Resize images to {needed} pixels or more, or remove strides from the first "
                "layers (for small pictures: a 3×3 stem of stride 1 without max pooling).",
                data={"map": list(places), "input": list(extent), "shrinks": shrink},
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


def _is_swallowed(graph: Graph, pool: Op) -> bool:
    """Whether the map became one place by a convolution that reads all of it, unpadded."""
    op = producer(graph, pool)
    while op is not None and op.input_shapes and op.input_shapes[0][2:] == (1, 1):
        op = producer(graph, op)
    if op is None or op.kind != "conv" or op.output_shape[2:] != (1, 1):
        return False
    return sizes(op, "kernel") == op.input_shapes[0][2:] and not any(map(any, paddings(op)))


RULE = Rule("S104", "final map too small for the input", "warning", check, (2, 19))
