"""What was asked of an operation, read from the call's own arguments.

Every layout of sizes comes out the same: one number per axis, paddings as pairs
``(before, after)`` per axis, in the order of the tensor's dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from foveal.arithmetic import padding_pair
from foveal.graph.graph import AttributeValue, Kind

Attributes = dict[str, AttributeValue]


class Call:
    """The arguments of one call, by position or by name."""

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    def get(self, name: str, position: int, default: Any = None) -> Any:
        """Returns the argument called ``name``, else the one at ``position``."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if len(self.args) > position else default

    @property
    def first(self) -> Any:
        """The first argument, under whatever name it came."""
        return self.args[0] if self.args else next(iter(self.kwargs.values()))


def _per_axis(value: Any, num_axes: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * num_axes
    values = tuple(int(item) for item in value)
    return values * num_axes if len(values) == 1 else values


def _conv(call: Call, name: str) -> Attributes:
    weight = call.get("weight", 1)
    kernel = tuple(weight.shape[2:])
    axes = len(kernel)
    stride = _per_axis(call.get("stride", 3, 1), axes)
    dilation = _per_axis(call.get("dilation", 5, 1), axes)
    padding = call.get("padding", 4, 0)
    if padding == "same":
        pairs = tuple(
            padding_pair("same", kernel=k, stride=s, dilation=d)
            for k, s, d in zip(kernel, stride, dilation, strict=True)
        )
    else:
        sizes = _per_axis(0 if padding == "valid" else padding, axes)
        pairs = tuple((size, size) for size in sizes)
    groups = call.get("groups", 6, 1)
    return {
        "kernel": kernel,
        "stride": stride,
        "padding": pairs,
        "dilation": dilation,
        "groups": groups,
        "in_channels": weight.shape[1] * groups,
        "out_channels": weight.shape[0],
        "bias": call.get("bias", 2) is not None,
    }


def _conv_transpose(call: Call, name: str) -> Attributes:
    weight = call.get("weight", 1)
    kernel = tuple(weight.shape[2:])
    axes = len(kernel)
    groups = call.get("groups", 6, 1)
    return {
        "kernel": kernel,
        "stride": _per_axis(call.get("stride", 3, 1), axes),
        "padding": tuple((p, p) for p in _per_axis(call.get("padding", 4, 0), axes)),
        "output_padding": _per_axis(call.get("output_padding", 5, 0), axes),
        "dilation": _per_axis(call.get("dilation", 7, 1), axes),
        "groups": groups,
        "in_channels": weight.shape[0],
        "out_channels": weight.shape[1] * groups,
        "bias": call.get("bias", 2) is not None,
    }


def _linear(call: Call, name: str) -> Attributes:
    weight = call.get("weight", 1)
    return {
        "in_features": weight.shape[-1],
        "out_features": weight.shape[0] if weight.dim() > 1 else 1,
        "bias": call.get("bias", 2) is not None,
    }


def _pool(call: Call, name: str) -> Attributes:
    axes = int(name[-2])
    position = 2 if name.startswith("lp_pool") else 1
    kernel = _per_axis(call.get("kernel_size", position), axes)
    stride = call.get("stride", position + 1)
    found: Attributes = {
        "kernel": kernel,
        # An empty list is how C++ says that the stride is the kernel.
        "stride": kernel if stride is None or stride == [] else _per_axis(stride, axes),
    }
    if name.startswith("lp_pool"):
        padding, dilation, ceil_mode = 0, 1, call.get("ceil_mode", 4, False)
    elif name.startswith("max_pool"):
        padding, dilation = call.get("padding", 3, 0), call.get("dilation", 4, 1)
        ceil_mode = call.get("ceil_mode", 5, False)
    else:
        padding, dilation = call.get("padding", 3, 0), 1
        ceil_mode = call.get("ceil_mode", 4, False)
        found["count_include_pad"] = call.get("count_include_pad", 5, True)
    found["padding"] = tuple((p, p) for p in _per_axis(padding, axes))
    found["dilation"] = _per_axis(dilation, axes)
    found["ceil_mode"] = ceil_mode
    return found


def _adaptive_pool(call: Call, name: str) -> Attributes:
    axes = int(name[-2])
    shape = call.first.shape[-axes:]
    size = call.get("output_size", 1)
    sizes = (size,) * axes if isinstance(size, int) or size is None else tuple(size)
    return {
        "output_size": tuple(shape[i] if s is None else int(s) for i, s in enumerate(sizes)),
        "function": "max" if "max" in name else "avg",
    }


def _batch_norm(call: Call, name: str) -> Attributes:
    return {
        "training": bool(call.get("training", 5, False)),
        "momentum": call.get("momentum", 6, 0.1),
        "eps": call.get("eps", 7, 1e-5),
        "num_features": call.first.shape[1] if call.first.dim() > 1 else None,
    }


def _layer_norm(call: Call, name: str) -> Attributes:
    shape = call.get("normalized_shape", 1)
    return {
        "normalized_shape": (shape,) if isinstance(shape, int) else tuple(shape),
        "eps": call.get("eps", 4, 1e-5),
    }


def _group_norm(call: Call, name: str) -> Attributes:
    return {"num_groups": call.get("num_groups", 1), "eps": call.get("eps", 4, 1e-5)}


# Where ``dim`` stands in the arguments, if not second.
_POSITION_OF_DIM = {"topk": 2, "kthvalue": 2, "norm": 2, "vector_norm": 2, "cosine_similarity": 2}


def _dims(call: Call, name: str) -> Attributes:
    dims = call.get("dim", _POSITION_OF_DIM.get(name, 1))
    if isinstance(dims, torch.Tensor):
        return {}
    if dims is None and name in {"topk", "kthvalue", "sort", "argsort"}:
        dims = -1
    if dims is None and name == "cosine_similarity":
        dims = 1
    if dims is None:
        dims = tuple(range(call.first.dim()))
    elif isinstance(dims, int):
        dims = (dims,)
    if not all(isinstance(dim, int) for dim in dims):
        return {}
    keepdim = call.get("keepdim", 2, False)
    rank = call.first.dim()
    return {
        "dims": tuple(sorted(dim % rank for dim in dims)),
        "keepdim": bool(keepdim) if isinstance(keepdim, bool) else False,
    }


def _dim(call: Call, name: str) -> Attributes:
    position = {"split": 2, "chunk": 2, "tensor_split": 2, "split_with_sizes": 2}.get(name, 1)
    dim = call.get("dim", position, 0)
    tensors = call.first
    if isinstance(tensors, torch.Tensor):
        rank = tensors.dim()
    else:
        rank = tensors[0].dim() + (name == "stack")
    return {"dim": dim % rank} if isinstance(dim, int) and rank else {}


def _softmax(call: Call, name: str) -> Attributes:
    dim = call.get("dim", 1)
    return {"dim": dim % call.first.dim() if isinstance(dim, int) else None}


def _dropout(call: Call, name: str) -> Attributes:
    return {"p": call.get("p", 1, 0.5), "training": bool(call.get("training", 2, True))}


def _pad(call: Call, name: str) -> Attributes:
    flat = tuple(int(size) for size in call.get("pad", 1))
    mode = call.get("mode", 2, "constant")
    return {"padding": tuple(zip(flat[::2], flat[1::2], strict=True)), "mode": mode}


def _interpolate(call: Call, name: str) -> Attributes:
    mode = call.get("mode", 3, "nearest")
    if name.startswith("upsample_"):
        mode = name.removeprefix("upsample_")
    aligned = call.get("align_corners", 4) or name == "upsample_bilinear"
    return {
        "mode": mode,
        "align_corners": bool(aligned),
        "antialias": bool(call.get("antialias", 6, False)),
    }


def _permute(call: Call, name: str) -> Attributes:
    tensor = call.first
    # Asking a tensor of the same rank with distinct sizes is the one reading of all the
    # spellings (transpose, movedim, .mT, ...) that cannot go wrong.
    probe = torch.empty(tuple(range(2, 2 + tensor.dim())), device="meta")
    if name in {"T", "mT", "H", "mH"}:
        moved = getattr(probe, name)
    else:
        moved = getattr(probe, name)(*call.args[1:], **call.kwargs)
    return {"dims": tuple(size - 2 for size in moved.shape)}


def _index_value(item: Any) -> AttributeValue:
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        numbers = tuple(part if part is None else int(part) for part in parts)
        return ("slice", *numbers)
    if item is None:
        return "newaxis"
    if item is Ellipsis:
        return "..."
    if isinstance(item, int):
        return item
    return "tensor"


def _slice(call: Call, name: str) -> Attributes:
    if name == "getitem":
        index = call.args[1]
        items = index if isinstance(index, tuple) else (index,)
        return {"index": tuple(_index_value(item) for item in items)}
    if name in {"narrow", "select"}:
        dim = call.get("dim", 1)
        rank = call.first.dim()
        start = int(call.get("start" if name == "narrow" else "index", 2))
        before: tuple[AttributeValue, ...] = (("slice", None, None, None),) * (dim % rank)
        if name == "select":
            return {"index": (*before, start)}
        stop = start + int(call.get("length", 3))
        return {"index": (*before, ("slice", start, stop, None))}
    return {"index": ("tensor",)}


def _fft(call: Call, name: str) -> Attributes:
    rank = call.first.dim()
    if name[-1] in {"2", "n"}:
        dims = call.get("dim", 2)
        if dims is None and call.get("s", 1) is not None:
            dims = tuple(range(-len(call.get("s", 1)), 0))
        if dims is None:
            dims = (-2, -1) if name.endswith("2") else tuple(range(rank))
    else:
        dims = (call.get("dim", 2, -1),)
    return {"dims": tuple(sorted(dim % rank for dim in dims))}


def _recurrent(call: Call, name: str) -> Attributes:
    is_layer = not name.endswith("_cell")
    flags = [item for item in (*call.args, *call.kwargs.values()) if isinstance(item, bool)]
    # bias, train, bidirectional, batch_first; packed sequences have no batch_first
    return {
        "is_bidirectional": is_layer and len(flags) > 2 and flags[2],
        "batch_first": is_layer and len(flags) > 3 and flags[3],
    }


def _deform_conv(call: Call, name: str) -> Attributes:
    weight = call.args[1]
    stride, padding, dilation = (tuple(call.args[i : i + 2]) for i in (5, 7, 9))
    groups = call.args[11]
    return {
        "kernel": tuple(weight.shape[2:]),
        "stride": stride,
        "padding": tuple((size, size) for size in padding),
        "dilation": dilation,
        "groups": groups,
        "in_channels": weight.shape[1] * groups,
        "out_channels": weight.shape[0],
    }


def _max_unpool(call: Call, name: str) -> Attributes:
    axes = int(name[-2])
    kernel = _per_axis(call.get("kernel_size", 2), axes)
    stride = call.get("stride", 3)
    return {
        "kernel": kernel,
        "stride": kernel if stride is None or stride == [] else _per_axis(stride, axes),
        "padding": tuple((p, p) for p in _per_axis(call.get("padding", 4, 0), axes)),
    }


def _pixel_shuffle(call: Call, name: str) -> Attributes:
    return {"factor": next(v for v in (*call.args[1:], *call.kwargs.values()) if type(v) is int)}


def _einsum(call: Call, name: str) -> Attributes:
    return {"equation": call.first} if name == "einsum" and isinstance(call.first, str) else {}


def _attention(call: Call, name: str) -> Attributes:
    if name == "multi_head_attention_forward":
        return {
            "num_heads": call.get("num_heads", 4),
            "embed_dim": call.get("embed_dim_to_check", 3),
            # PyTorch's layout here is (L, N, E); in scaled dot products it is (..., L, E).
            "sequence_first": True,
        }
    return {"is_causal": bool(call.get("is_causal", 5, False)), "sequence_first": False}


def _nothing(call: Call, name: str) -> Attributes:
    return {}


_READERS: dict[Kind, Callable[[Call, str], Attributes]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "deform_conv": _deform_conv,
    "recurrent": _recurrent,
    "fft": _fft,
    "max_unpool": _max_unpool,
    "matmul": _einsum,
    "attention": _attention,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "softmax": _softmax,
    "dropout": _dropout,
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_pool": _adaptive_pool,
    "concat": _dim,
    "stack": _dim,
    "split": _dim,
    "slice": _slice,
    "permute": _permute,
    "pad": _pad,
    "interpolate": _interpolate,
    "pixel_shuffle": _pixel_shuffle,
    "reduce": _dims,
}


def read_attributes(kind: Kind, name: str, call: Call) -> Attributes:
    """Returns the settings of one call, as ``Kind`` lists them.

    Args:
        kind: What the function is.
        name: PyTorch's plain word for it.
        call: Its arguments, tensors on the meta device.
    """
    return _READERS.get(kind, _nothing)(call, name)


def settle_pool(kind: Kind, attributes: Attributes, call: Call, name: str) -> Kind:
    """Returns ``"global_pool"`` for the spellings of "one value a channel"."""
    if kind == "adaptive_pool":
        size = attributes["output_size"]
        return "global_pool" if isinstance(size, tuple) and set(size) == {1} else kind
    rank = call.first.dim() if isinstance(call.first, torch.Tensor) else 0
    if name in {"max", "min"} and isinstance(call.get("other", 1), torch.Tensor):
        return "elementwise"
    is_spatial = rank in {4, 5} and attributes.get("dims") == tuple(range(2, rank))
    if kind == "reduce" and name in {"mean", "amax"} and is_spatial:
        attributes["function"] = "max" if name == "amax" else "avg"
        return "global_pool"
    return kind
