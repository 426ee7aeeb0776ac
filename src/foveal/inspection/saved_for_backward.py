"""Which tensors autograd keeps for the backward pass of one operation.

From PyTorch's derivative formulas: a convolution needs its input for the gradient of its
weights, ReLU its result, an addition nothing. Parameters are not counted, they are there
anyway. Dropout is taken as in training, with the one-byte mask of accelerators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from foveal.graph.graph import Op
from foveal.graph.vocabulary import words

_STATISTIC_BYTES = 4
INDEX_BYTES = 8

_ACTIVATIONS_KEEPING_RESULT = words("relu sigmoid tanh")
# Their in-place forms have a formula in terms of the result; the others copy their input.
_INPLACE_KEEPING_RESULT = words("relu sigmoid tanh leaky_relu elu selu celu")
_ACTIVATIONS_KEEPING_MORE = words("softsign tanhshrink rrelu logsigmoid log_sigmoid")
_KEEPING_NOTHING = words(
    "add sub concat stack split slice flatten reshape permute expand roll pixel_shuffle copy "
    "interpolate assign unfold"
)
_ELEMENTWISE_KEEPING_NOTHING = words(
    "neg negative positive round floor ceil sign zeros_like ones_like full_like fill zero "
    "eq ne lt le gt ge isnan isinf isfinite logical_not logical_and logical_or"
)
_ELEMENTWISE_KEEPING_RESULT = words("exp expm1 sqrt rsqrt reciprocal")
_ELEMENTWISE_KEEPING_INPUT = words(
    "pow square abs log log2 log1p sin cos clamp clip clamp_min clamp_max erf sinc"
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What one operation keeps.

    Attributes:
        inputs: Positions of the inputs that are kept.
        output: Whether the result is kept.
        extra_bytes: Masks, indices and statistics made for the backward pass alone.
        unknown: Why this is only a lower bound; None when it is exact.
    """

    inputs: tuple[int, ...] = ()
    output: bool = False
    extra_bytes: int = 0
    unknown: str | None = None


_NOTHING = Saved()
_INPUT = Saved(inputs=(0,))
_RESULT = Saved(output=True)


def saved_by(op: Op, *, has_trainable_weight: bool, needing: Sequence[bool]) -> Saved:
    """Returns what ``op`` keeps.

    Args:
        op: The operation, known to take part in the backward pass.
        has_trainable_weight: Whether one of its own parameters gets a gradient.
        needing: For each input, whether a gradient flows back into it.
    """
    if op.kind in _KEEPING_NOTHING:
        return _NOTHING
    if op.kind in {"conv", "conv_transpose", "linear"}:
        return _weighted(op, has_trainable_weight)
    if op.kind in {"matmul", "mul", "div"}:
        return _product(op, has_trainable_weight, needing)
    if op.kind in {"batch_norm", "layer_norm", "group_norm", "instance_norm"}:
        return Saved(inputs=(0,), extra_bytes=_statistics(op))
    if op.kind == "activation":
        return _activation(op)
    if op.kind == "softmax":
        return _RESULT
    if op.kind == "dropout":
        return Saved(extra_bytes=prod(op.output_shape) if op.attributes.get("p") else 0)
    if op.kind in {"max_pool", "avg_pool", "adaptive_pool", "global_pool", "reduce"}:
        return _pooled(op)
    if op.kind == "pad":
        return _NOTHING if op.attributes.get("mode") == "constant" else _INPUT
    if op.kind == "elementwise":
        return _elementwise(op)
    if op.kind == "attention" and op.function == "scaled_dot_product_attention":
        logsumexp = _STATISTIC_BYTES * prod(op.output_shape[:-1])
        return Saved(inputs=(0, 1, 2), output=True, extra_bytes=logsumexp)
    return Saved(inputs=(0,), unknown=f"what autograd keeps for {op.function} is not known")


def _weighted(op: Op, has_trainable_weight: bool) -> Saved:
    if len(op.inputs) > 1:  # weights made from the image
        return Saved(inputs=tuple(range(len(op.inputs))))
    return _INPUT if has_trainable_weight else _NOTHING


def _product(op: Op, has_trainable_weight: bool, needing: Sequence[bool]) -> Saved:
    if op.function == "einsum":
        return Saved(inputs=tuple(range(len(op.inputs))))
    if len(op.inputs) == 1:
        return _INPUT if has_trainable_weight else _NOTHING
    # Each factor is needed for the gradient of the other.
    kept = {1 - i for i, needed in enumerate(needing[:2]) if needed}
    if op.kind == "div" and needing[1:2] == [True]:
        kept |= {0, 1}
    return Saved(inputs=tuple(sorted(kept)))


def _statistics(op: Op) -> int:
    shape = op.input_shapes[0]
    if op.kind == "layer_norm":
        normalised = op.attributes["normalized_shape"]
        num = prod(shape) // max(1, prod(n for n in _sizes(normalised)))
    elif op.kind == "group_norm":
        groups = op.attributes["num_groups"]
        num = shape[0] * (groups if isinstance(groups, int) else 1)
    elif op.kind == "instance_norm":
        num = shape[0] * shape[1]
    else:
        num = shape[1]
    return 2 * _STATISTIC_BYTES * num


def _sizes(value: object) -> tuple[int, ...]:
    return tuple(v for v in value if isinstance(v, int)) if isinstance(value, tuple) else ()


def _activation(op: Op) -> Saved:
    if op.function in _ACTIVATIONS_KEEPING_MORE:
        reason = f"{op.function} keeps intermediate results that are not counted"
        return Saved(inputs=(0,), unknown=reason)
    if op.is_inplace:
        if op.function in _INPLACE_KEEPING_RESULT:
            return _RESULT
        return Saved(extra_bytes=prod(op.output_shape) * 4)
    return _RESULT if op.function in _ACTIVATIONS_KEEPING_RESULT else _INPUT


def _pooled(op: Op) -> Saved:
    is_max = "max" in op.function or op.attributes.get("function") == "max"
    if op.kind == "max_pool" or (op.kind in {"adaptive_pool", "global_pool"} and is_max):
        if op.function == "amax":
            return Saved(inputs=(0,), output=True)
        return Saved(inputs=(0,), extra_bytes=INDEX_BYTES * prod(op.output_shape))
    if op.kind == "global_pool" or (op.kind == "reduce" and op.function in {"mean", "sum"}):
        return _NOTHING  # only the sizes are kept
    if op.kind == "reduce":
        return Saved(
            inputs=(0,), unknown=f"what autograd keeps for {op.function} is not known exactly"
        )
    return _INPUT


def _elementwise(op: Op) -> Saved:
    if op.function in _ELEMENTWISE_KEEPING_NOTHING:
        return _NOTHING
    if op.function in _ELEMENTWISE_KEEPING_RESULT:
        return _RESULT
    if op.function in _ELEMENTWISE_KEEPING_INPUT:
        return _INPUT
    return Saved(inputs=(0,), unknown=f"what autograd keeps for {op.function} is not known")
