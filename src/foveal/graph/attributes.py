"""The settings of every kind of operation, read from the arguments of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from foveal.graph.graph import AttributeValue, Kind
from foveal.graph.layer_attributes import (
    Attributes,
    Call,
    adaptive_pool,
    attention,
    batch_norm,
    conv,
    conv_transpose,
    deform_conv,
    dropout,
    group_norm,
    layer_norm,
    linear,
    max_unpool,
    pool,
    recurrent,
)

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


def _pixel_shuffle(call: Call, name: str) -> Attributes:
    return {"factor": next(v for v in (*call.args[1:], *call.kwargs.values()) if type(v) is int)}


def _bounds(call: Call, name: str) -> Attributes:
    """Returns ``low`` and ``high`` of what cuts its values off there, where they are numbers."""
    given = {
        "hardtanh": (call.get("min_val", 1, -1.0), call.get("max_val", 2, 1.0)),
        "clamp": (call.get("min", 1), call.get("max", 2)),
        "clip": (call.get("min", 1), call.get("max", 2)),
        "clamp_min": (call.get("min", 1), None),
        "clamp_max": (None, call.get("max", 1)),
    }.get(name, (None, None))
    return {
        key: float(value)
        for key, value in zip(("low", "high"), given, strict=True)
        if isinstance(value, int | float)
    }


def _einsum(call: Call, name: str) -> Attributes:
    return {"equation": call.first} if name == "einsum" and isinstance(call.first, str) else {}


def _nothing(call: Call, name: str) -> Attributes:
    return {}


_READERS: dict[Kind, Callable[[Call, str], Attributes]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "deform_conv": deform_conv,
    "recurrent": recurrent,
    "fft": _fft,
    "max_unpool": max_unpool,
    "matmul": _einsum,
    "activation": _bounds,
    "elementwise": _bounds,
    "attention": attention,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "softmax": _softmax,
    "dropout": dropout,
    "max_pool": pool,
    "avg_pool": pool,
    "adaptive_pool": adaptive_pool,
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
