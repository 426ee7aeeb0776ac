"""Heads whose logit is exactly the mean of a map plus a number, and those maps.

With features A [C, h, w], weight w and bias b, the logit of class k is
``mean_ij(sum_c w_kc A_c) + b_k``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from foveal.errors import UsageError
from foveal.explanation.methods import weighed
from foveal.graph import Graph, Head, Op

# What changes no value, in evaluation mode, and keeps the order of channels.
_IDLE = frozenset({"flatten", "reshape", "dropout", "copy"})
_PROBABILITIES = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid", "log_sigmoid"})


@dataclass(frozen=True, slots=True)
class ExactHead:
    """A head with which one forward pass gives the maps of all classes.

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
        return f"no average over positions is followed by one linear layer ({head.reason})"
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


def class_activation_maps(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Returns the class activation maps: the mean of each, plus its bias, is the logit.

    Zhou, Khosla, Lapedriza, Oliva and Torralba, "Learning Deep Features for Discriminative
    Localization" (CVPR 2016), equation 2: ``M_k(x, y) = sum_c w_kc f_c(x, y)``.

    >>> features = torch.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]]])  # 2 channels, 1 x 2 positions
    >>> class_activation_maps(features, torch.tensor([[2.0, -1.0]])).tolist()
    [[[[2.0, 4.0]]]]

    Args:
        features: [N, C, h, w], what is averaged.
        weight: [K, C], of the linear layer.
        bias: [K]. It belongs to no position and is in no map: it is only required to fit.

    Returns:
        [N, K, h, w], signed, float32 (float64 for float64 features).

    Raises:
        UsageError: The shapes do not fit each other.
    """
    if features.dim() != 4 or weight.dim() != 2 or features.shape[1] != weight.shape[1]:
        raise UsageError(
            f"got features of shape {tuple(features.shape)} and a weight of {tuple(weight.shape)}, "
            "expected [N, C, h, w] and [K, C]."
        )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        raise UsageError(
            f"got a bias of shape {tuple(bias.shape)}, expected ({weight.shape[0]},): one a class."
        )
    features, weight = in_single(features), in_single(weight)
    return weighed(features, weight[None])


def pooled_logits(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Returns the logits [N, K] of features [N, C, h, w] that are averaged and weighed."""
    bias = None if bias is None else in_single(bias)
    return torch.nn.functional.linear(in_single(features).mean((2, 3)), in_single(weight), bias)


def in_single(tensor: torch.Tensor) -> torch.Tensor:
    """Returns half precision as float32, so that sums over positions lose nothing more."""
    return tensor.double() if tensor.dtype == torch.float64 else tensor.float()
