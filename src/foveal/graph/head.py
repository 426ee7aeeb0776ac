"""What a classifier does after its last feature map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.graph.cut_points import require_complete
from foveal.graph.graph import Graph, Op, Shape

HeadKind = Literal[
    "pooled linear",  # pool, linear: ResNet, Swin
    "pooled norm linear",  # pool, norm, linear: ConvNeXt
    "pooled MLP",  # pool, linear, activation, linear: MobileNetV3
    "conv pooled",  # convolution to the classes, then pool: SqueezeNet
    "flattened linear",  # the map is flattened with its positions, then one linear layer
    "flattened MLP",  # the same with several: VGG, AlexNet
    "token linear",  # one token is read: ViT
    "other",
]

_PASSES = frozenset({"flatten", "reshape", "dropout", "copy", "permute", "expand", "softmax"})
_NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "norm", "instance_norm"})
_POINTWISE = frozenset({"activation", "elementwise"})


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a classifier, from the last feature map to the logits.

    Attributes:
        kind: Which of the usual forms it has.
        features: Name of the operation whose result is the last feature map: what is
            pooled, flattened or sliced. None when the head is not recognised.
        pool: Name of the pooling operation, if there is one.
        pool_function: ``"avg"`` or ``"max"``.
        linear_layers: Names of the layers with weights after the features, in order; the
            last one gives the logits. 1x1 convolutions on a pooled map count.
        num_features: Width of what the last of them reads.
        num_classes: Number of logits.
        reason: One sentence that says how it was recognised, or why not.
    """

    kind: HeadKind
    features: str | None
    pool: str | None
    pool_function: Literal["avg", "max"] | None
    linear_layers: tuple[str, ...]
    num_features: int | None
    num_classes: int | None
    reason: str

    @property
    def has_exact_map(self) -> bool:
        """Whether the logit is the mean of a class activation map plus the bias.

        So it is where nothing but an average stands between features and one linear layer
        (Zhou et al. 2016, "Learning Deep Features for Discriminative Localization").
        """
        return self.kind == "pooled linear" and self.pool_function == "avg"


def head(graph: Graph) -> Head:
    """Returns how the network gets from its last feature map to its (first) output.

    Raises:
        TraceError: The graph is not complete.
    """
    require_complete(graph, purpose="recognising the head")
    source = graph.outputs[0].source if graph.outputs else None
    if source is None or source.kind != "op":
        return _unknown("the output does not depend on an operation")
    after: list[Op] = []
    op: Op | None = graph.ops[source.index]
    while op is not None:
        if _pools(op):
            return _pooled(graph, op, after)
        if _drops_positions(op):
            return _flattened(graph, op, after)
        if op.kind == "slice" and len(op.input_shapes[0]) == 3:
            return _token(graph, op, after)
        passes = op.kind in _PASSES | _NORMS | _POINTWISE or _is_linear(op) or _is_idle(op)
        if not passes:
            return _unknown(f"before the logits stands {op.name!r} ({op.kind}), not a pooling")
        after.append(op)
        op = _before(graph, op)
    return _unknown("between input and logits is neither pooling nor flattening")


def _before(graph: Graph, op: Op) -> Op | None:
    """Returns the operation that feeds this one, if exactly one does."""
    if len(op.inputs) != 1 or op.inputs[0].kind != "op":
        return None
    return graph.ops[op.inputs[0].index]


def _positions(shape: Shape) -> int:
    return shape[2] * shape[3] if len(shape) == 4 else 1


def _is_idle(op: Op) -> bool:
    """Whether it pools a single position to a single position."""
    pools = {"global_pool", "avg_pool", "max_pool", "adaptive_pool"}
    return op.kind in pools and op.input_shapes[0] == op.output_shape


def _pools(op: Op) -> bool:
    """Whether it makes one value a channel out of a map, or of tokens."""
    if not op.input_shapes or _is_idle(op):
        return False
    shape = op.input_shapes[0]
    if op.kind == "global_pool":
        return True
    if op.kind == "reduce" and op.function in {"mean", "amax"}:
        dims = op.attributes.get("dims")
        # Tokens (N, L, C), a map with its channels last (N, H, W, C), or one squeezed away.
        return (dims, len(shape)) in {((1,), 3), ((1, 2), 4)}
    if op.kind in {"avg_pool", "max_pool"}:
        return _positions(shape) > 1 and op.output_shape[2:] == (1, 1)
    return False


def _is_linear(op: Op) -> bool:
    return op.kind == "linear" or (op.kind == "conv" and op.output_shape[2:] == (1, 1))


def _drops_positions(op: Op) -> bool:
    """Whether it turns a map into one vector that still tells positions apart."""
    if op.kind not in {"flatten", "reshape", "conv"} or _positions(op.input_shapes[0]) <= 1:
        return False
    return len(op.output_shape) == 2 or (op.kind == "conv" and op.output_shape[2:] == (1, 1))


def _pooled(graph: Graph, pool: Op, after: list[Op]) -> Head:
    linears = [each for each in after if _is_linear(each)]
    features = _before(graph, pool)
    if not linears:
        op = features
        while op is not None and op.kind in _PASSES | _POINTWISE:
            op = _before(graph, op)
        if op is None or op.kind != "conv":
            return _unknown("the output is pooled, and no layer with weights stands before it")
        source = _before(graph, op)
        reason = f"the convolution {op.name!r} gives a map for each class, {pool.name!r} pools it"
        return _head("conv pooled", source, [op], reason, pool=pool)
    between = after[after.index(linears[-1]) + 1 :]
    if any(op.kind in _POINTWISE for op in between):
        return _unknown(f"an activation stands between {pool.name!r} and the linear layer")
    kind: HeadKind = "pooled linear"
    if len(linears) > 1:
        kind = "pooled MLP"
    elif any(op.kind in _NORMS for op in after):
        kind = "pooled norm linear"
    reason = f"{pool.name!r} pools the map, {_listed(linears)} reads the result"
    return _head(kind, features, linears, reason, pool=pool)


def _flattened(graph: Graph, op: Op, after: list[Op]) -> Head:
    layers = [*after, op] if op.kind == "conv" else after
    linears = [each for each in layers if _is_linear(each)]
    if not linears:
        return _unknown(f"{op.name!r} flattens the map, and no linear layer reads it")
    kind: HeadKind = "flattened linear" if len(linears) == 1 else "flattened MLP"
    reason = f"{op.name!r} flattens the map with its positions for {_listed(linears)}"
    return _head(kind, _before(graph, op), linears, reason)


def _token(graph: Graph, op: Op, after: list[Op]) -> Head:
    linears = [each for each in after if _is_linear(each)]
    if not linears:
        return _unknown(f"{op.name!r} picks a token, and no linear layer reads it")
    reason = f"{op.name!r} picks one token for {_listed(linears)}"
    return _head("token linear", _before(graph, op), linears, reason)


def _listed(linears: list[Op]) -> str:
    return ", ".join(repr(op.name) for op in reversed(linears))


def _head(
    kind: HeadKind, features: Op | None, linears: list[Op], reason: str, *, pool: Op | None = None
) -> Head:
    classifier = linears[0]
    wide = "in_features" if classifier.kind == "linear" else "in_channels"
    long = "out_features" if classifier.kind == "linear" else "out_channels"
    num_features, num_classes = classifier.attributes[wide], classifier.attributes[long]
    assert isinstance(num_features, int)
    assert isinstance(num_classes, int)
    is_max = pool is not None and "max" in pool.function
    return Head(
        kind=kind,
        features=features.name if features is not None else None,
        pool=pool.name if pool is not None else None,
        pool_function=None if pool is None else "max" if is_max else "avg",
        linear_layers=tuple(op.name for op in reversed(linears)),
        num_features=num_features,
        num_classes=num_classes,
        reason=reason,
    )


def _unknown(reason: str) -> Head:
    return Head("other", None, None, None, (), None, None, reason)
