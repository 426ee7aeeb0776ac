"""Multiply-accumulates of one call, from the shapes that went in and came out.

Counted are convolutions, linear maps, recurrent layers, matrix products and attention.
Normalisation, pooling, activations, additions, resizing and Fourier transforms have none by
this definition, as in torchvision's
published figures; fvcore counts a few of them (batch norm twice per element, layer norm five
times), which is where its totals differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from foveal.arithmetic import (
    attention_macs,
    convolution_macs,
    linear_macs,
    transposed_convolution_macs,
)
from foveal.graph.graph import Kind
from foveal.graph.layer_attributes import Call
from foveal.graph.nested_tensors import tensors_in
from foveal.graph.quantity import Quantity


def count_macs(kind: Kind, name: str, call: Call, output: torch.Tensor | None) -> Quantity[int]:
    """Returns the MACs of one call.

    Args:
        kind: What the function is.
        name: PyTorch's plain word for it.
        call: Its arguments, tensors on the meta device.
        output: Its first result.
    """
    if kind in {"conv", "deform_conv"}:
        assert output is not None
        return Quantity(_conv(call, output, groups=call.args[11] if kind != "conv" else None))
    if kind == "recurrent":
        return Quantity(_recurrent(name, call))
    if kind == "conv_transpose":
        return Quantity(_conv_transpose(call))
    if kind == "linear":
        weight, source = call.get("weight", 1), call.first
        positions = source.numel() // max(source.shape[-1], 1)
        if weight.dim() == 1:
            return Quantity(linear_macs(weight.shape[0], 1, positions=positions))
        return Quantity(linear_macs(weight.shape[1], weight.shape[0], positions=positions))
    if kind == "matmul":
        assert output is not None
        return _matmul(name, call, output)
    if kind == "attention":
        return Quantity(_attention(name, call))
    if kind == "other":
        return Quantity.unavailable(f"what {name} costs is not known")
    return Quantity(0)


def _conv(call: Call, output: torch.Tensor, *, groups: int | None) -> int:
    weight = call.get("weight", 1)
    groups = call.get("groups", 6, 1) if groups is None else groups
    axes = weight.dim() - 2
    batch = output.shape[0] if output.dim() == axes + 2 else 1
    return batch * convolution_macs(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel=tuple(weight.shape[2:]),
        output_size=tuple(output.shape[-axes:]),
        groups=groups,
    )


def _conv_transpose(call: Call) -> int:
    weight = call.get("weight", 1)
    groups = call.get("groups", 6, 1)
    axes = weight.dim() - 2
    source = call.first
    batch = source.shape[0] if source.dim() == axes + 2 else 1
    return int(batch) * transposed_convolution_macs(
        weight.shape[0],
        weight.shape[1] * groups,
        kernel=tuple(weight.shape[2:]),
        input_size=tuple(source.shape[-axes:]),
        groups=groups,
    )


def _matmul(name: str, call: Call, output: torch.Tensor) -> Quantity[int]:
    if name == "einsum":
        return _einsum(call)
    counted = _COUNTED_BY_RUNNING.get(name)
    if counted is not None:
        return _products_in(counted, call)
    left = {
        "matmul": 0,
        "mm": 0,
        "bmm": 0,
        "mv": 0,
        "dot": 0,
        "rmatmul": 1,
        "addmm": 1,
        "baddbmm": 1,
    }.get(name)
    if left is None:
        return Quantity.unavailable(f"what {name} costs is not known")
    factor = call.args[left] if len(call.args) > left else call.kwargs.get("mat1", call.first)
    return Quantity(output.numel() * int(factor.shape[-1]))


def _einsum(call: Call) -> Quantity[int]:
    equation, operands = call.first, call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    if not isinstance(equation, str) or len(operands) != 2:
        # Several operands are multiplied in pairs, in an order that PyTorch chooses.
        return _products_in(torch.einsum, call)
    sizes: dict[str, int] = {}
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    for term, operand in zip(terms, operands, strict=True):
        head, dots, tail = term.partition("...")
        shape = tuple(operand.shape)
        for label, size in zip(head, shape, strict=False):
            sizes[label] = max(size, sizes.get(label, 1))
        for label, size in zip(reversed(tail), reversed(shape), strict=False):
            sizes[label] = max(size, sizes.get(label, 1))
        if dots:
            middle = shape[len(head) : len(shape) - len(tail)]
            sizes["..."] = max(prod(middle), sizes.get("...", 1))
    return Quantity(prod(sizes.values()))


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the matrix products that a function is made of; on shapes, nothing is computed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        first = {"aten::bmm": 0, "aten::mm": 0, "aten::addmm": 1, "aten::baddbmm": 1}.get(
            func._schema.name
        )
        if first is not None:
            self.macs += result.numel() * int(args[first].shape[-1])
        return result


_COUNTED_BY_RUNNING: dict[str, Callable[..., Any]] = {
    "tensordot": torch.tensordot,
    "addbmm": torch.addbmm,
    "chain_matmul": torch.linalg.multi_dot,
    "linalg_multi_dot": torch.linalg.multi_dot,
}


def _products_in(function: Callable[..., Any], call: Call) -> Quantity[int]:
    with _Products() as products:
        function(*call.args, **call.kwargs)
    return Quantity(products.macs)


def _recurrent(name: str, call: Call) -> int:
    """Every weight matrix is applied at every step: W_ih, W_hh and the projection W_hr."""
    tensors = tensors_in((call.args, call.kwargs))
    source = tensors[0]
    states = 1
    if name.endswith("_cell"):
        states = 2 if name == "lstm_cell" else 1
        steps = source.shape[0] if source.dim() == 2 else 1
    else:
        states = 2 if name == "lstm" else 1
        steps = source.numel() // source.shape[-1]
    weights = tensors[1 + states :]
    return steps * sum(weight.numel() for weight in weights if weight.dim() == 2)


def _attention(name: str, call: Call) -> int:
    if name == "scaled_dot_product_attention":
        query, key, value = (call.get(n, i) for i, n in enumerate(("query", "key", "value")))
        return attention_macs(
            query.shape[-2],
            key.shape[-2],
            query_width=query.shape[-1],
            value_width=value.shape[-1],
            heads=prod(query.shape[:-2]),
        )
    query, key, value = (call.get(n, i) for i, n in enumerate(("query", "key", "value")))
    width: Any = call.get("embed_dim_to_check", 3)
    heads = call.get("num_heads", 4)
    batch = query.shape[1] if query.dim() == 3 else 1
    queries, keys = query.shape[0], key.shape[0]
    projections = sum(
        linear_macs(tensor.shape[-1], width, positions=batch * length)
        for tensor, length in ((query, queries), (key, keys), (value, keys))
    )
    products = attention_macs(
        queries,
        keys,
        query_width=width // heads,
        value_width=width // heads,
        heads=heads * batch,
    )
    return int(projections + products + linear_macs(width, width, positions=batch * queries))
