"""Heads whose logit is exactly the mean of a map plus a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.graph import Graph, Head, Op

# What changes no value, in evaluation mode, and keeps the order of channels.
_IDLE = frozenset({"flatten", "reshape", "dropout", "copy"})
_PROBABILITIES = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid", "log_sigmoid"})


@dataclass(frozen=True, slots=True)
class ExactHead:
    """Where the maps of all classes are to be had from one forward pass.

    Attributes:
        kind: ``"linear"``: features are averaged and weighed by a linear layer.
            ``"class maps"``: the features already are one map for each class.
        features: The operation whose result is averaged.
        pool: The name of what averages it.
        weight: Name of the weight, [K, C] or [K, C, 1, 1]; None for class maps.
        bias: Name of the bias; None where there is none.
        linear: Name of the operation with that weight.
    """

    kind: Literal["linear", "class maps"]
    features: Op
    pool: str
    weight: str | None
    bias: str | None
    linear: str


def exact_head(graph: Graph, head: Head) -> ExactHead | str:
    """Returns the exact head of a network, or why it has none, as a clause.

    Stricter than ``Head.has_exact_map``: the average must cover the whole map, the weight be
    stored as it is used, and nothing but a softmax or a sigmoid come after the logits, which
    are then the scores before it.
    """
    if head.pool is None or head.features is None:
        return f"no average over places is followed by one linear layer ({head.reason})"
    pool = graph.op(head.pool)
    if head.pool_function != "avg" or not _covers_everything(pool):
        return f"{pool.name!r} is no average over the whole map"
    after = _between(graph, pool)
    if after is None:
        return f"what follows {pool.name!r} is no single chain of operations"
    if head.kind == "conv pooled":
        if any(not _keeps_logits(op, after) for op in after):
            return f"more than pooling stands after {head.linear_layers[-1]!r}"
        linear = head.linear_layers[-1]
        features = graph.ops[pool.inputs[0].index]
        return ExactHead("class maps", features, pool.name, None, None, linear)
    if head.kind != "pooled linear":
        return f"more than one linear layer follows {pool.name!r} ({head.reason})"
    linear_op = graph.op(head.linear_layers[-1])
    before = after[: after.index(linear_op)]
    behind = after[after.index(linear_op) + 1 :]
    if any(op.kind not in _IDLE for op in before):
        return f"more than flattening stands between {pool.name!r} and {linear_op.name!r}"
    if any(not _keeps_logits(op, behind) for op in behind):
        return f"an operation on the logits follows {linear_op.name!r}"
    features = graph.ops[pool.inputs[0].index]
    weight, bias = _weights(graph, linear_op)
    if weight is None or graph.parameter(weight).count != _size(head):
        return f"the weight of {linear_op.name!r} is computed, not stored"
    return ExactHead("linear", features, pool.name, weight, bias, linear_op.name)


def _keeps_logits(op: Op, chain: list[Op]) -> bool:
    """Whether the logits are what they were before this operation, one of a chain."""
    ends = op.kind in _IDLE or op.function in _PROBABILITIES
    return ends or (op.function == "log" and any(one.function in _PROBABILITIES for one in chain))


def _covers_everything(pool: Op) -> bool:
    if pool.kind != "avg_pool":
        return True
    height, width = pool.input_shapes[0][2:4]
    padding = pool.attributes.get("padding")
    unpadded = not isinstance(padding, tuple) or all(
        side == 0 for pair in padding for side in (pair if isinstance(pair, tuple) else (pair,))
    )
    return pool.attributes.get("kernel") == (height, width) and unpadded


def _between(graph: Graph, pool: Op) -> list[Op] | None:
    """Returns the operations from the pooling (left out) to the output, in order."""
    chain: list[Op] = []
    source = graph.outputs[0].source
    while source is not None and source.kind == "op" and source.index != pool.index:
        op = graph.ops[source.index]
        if len(op.inputs) != 1:
            return None
        chain.append(op)
        source = op.inputs[0]
    return chain[::-1] if source is not None and source.kind == "op" else None


def _weights(graph: Graph, linear: Op) -> tuple[str | None, str | None]:
    if linear.attributes.get("computed_weight") or linear.attributes.get("groups", 1) != 1:
        return None, None
    shapes = {name: graph.parameter(name).shape for name in linear.parameters}
    weights = [name for name, shape in shapes.items() if len(shape) > 1]
    biases = [name for name, shape in shapes.items() if len(shape) == 1]
    if len(weights) != 1 or len(biases) > 1 or linear.buffers:
        return None, None
    return weights[0], biases[0] if biases else None


def _size(head: Head) -> int:
    return (head.num_features or 0) * (head.num_classes or 0)
