"""Settings of layers (convolutions, pooling, norms, ...), read from the arguments of a call.

Every layout of sizes comes out the same: one number per axis, paddings as pairs
``(before, after)`` per axis, in the order of the tensor's dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foveal.arithmetic import padding_pair
from foveal.graph.graph import AttributeValue

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


def per_axis(value: Any, num_axes: int) -> tuple[int, ...]:
    """Returns one number for each axis, where one may stand for all."""
    if isinstance(value, int):
        return (value,) * num_axes
    values = tuple(int(item) for item in value)
    return values * num_axes if len(values) == 1 else values


def conv(call: Call, name: str) -> Attributes:
    """Returns the settings of a convolution."""
    weight = call.get("weight", 1)
    kernel = tuple(weight.shape[2:])
    axes = len(kernel)
    stride = per_axis(call.get("stride", 3, 1), axes)
    dilation = per_axis(call.get("dilation", 5, 1), axes)
    padding = call.get("padding", 4, 0)
    if padding == "same":
        pairs = tuple(
            padding_pair("same", kernel=k, stride=s, dilation=d)
            for k, s, d in zip(kernel, stride, dilation, strict=True)
        )
    else:
        sizes = per_axis(0 if padding == "valid" else padding, axes)
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


def conv_transpose(call: Call, name: str) -> Attributes:
    """Returns the settings of a transposed convolution."""
    weight = call.get("weight", 1)
    kernel = tuple(weight.shape[2:])
    axes = len(kernel)
    groups = call.get("groups", 6, 1)
    return {
        "kernel": kernel,
        "stride": per_axis(call.get("stride", 3, 1), axes),
        "padding": tuple((p, p) for p in per_axis(call.get("padding", 4, 0), axes)),
        "output_padding": per_axis(call.get("output_padding", 5, 0), axes),
        "dilation": per_axis(call.get("dilation", 7, 1), axes),
        "groups": groups,
        "in_channels": weight.shape[0],
        "out_channels": weight.shape[1] * groups,
        "bias": call.get("bias", 2) is not None,
    }


def linear(call: Call, name: str) -> Attributes:
    """Returns the settings of a linear layer."""
    weight = call.get("weight", 1)
    return {
        "in_features": weight.shape[-1],
        "out_features": weight.shape[0] if weight.dim() > 1 else 1,
        "bias": call.get("bias", 2) is not None,
    }


def pool(call: Call, name: str) -> Attributes:
    """Returns the settings of max, average or lp pooling."""
    axes = int(name[-2])
    position = 2 if name.startswith("lp_pool") else 1
    kernel = per_axis(call.get("kernel_size", position), axes)
    stride = call.get("stride", position + 1)
    found: Attributes = {
        "kernel": kernel,
        # An empty list is how C++ says that the stride is the kernel.
        "stride": kernel if stride is None or stride == [] else per_axis(stride, axes),
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
    found["padding"] = tuple((p, p) for p in per_axis(padding, axes))
    found["dilation"] = per_axis(dilation, axes)
    found["ceil_mode"] = ceil_mode
    return found


def adaptive_pool(call: Call, name: str) -> Attributes:
    """Returns the settings of adaptive pooling."""
    axes = int(name[-2])
    shape = call.first.shape[-axes:]
    size = call.get("output_size", 1)
    sizes = (size,) * axes if isinstance(size, int) or size is None else tuple(size)
    return {
        "output_size": tuple(shape[i] if s is None else int(s) for i, s in enumerate(sizes)),
        "function": "max" if "max" in name else "avg",
    }


def batch_norm(call: Call, name: str) -> Attributes:
    """Returns the settings of batch norm."""
    return {
        "training": bool(call.get("training", 5, False)),
        "momentum": call.get("momentum", 6, 0.1),
        "eps": call.get("eps", 7, 1e-5),
        "num_features": call.first.shape[1] if call.first.dim() > 1 else None,
    }


def layer_norm(call: Call, name: str) -> Attributes:
    """Returns the settings of layer norm."""
    shape = call.get("normalized_shape", 1)
    return {
        "normalized_shape": (shape,) if isinstance(shape, int) else tuple(shape),
        "eps": call.get("eps", 4, 1e-5),
    }


def group_norm(call: Call, name: str) -> Attributes:
    """Returns the settings of group norm."""
    return {"num_groups": call.get("num_groups", 1), "eps": call.get("eps", 4, 1e-5)}


def dropout(call: Call, name: str) -> Attributes:
    """Returns the settings of dropout."""
    return {"p": call.get("p", 1, 0.5), "training": bool(call.get("training", 2, True))}


def recurrent(call: Call, name: str) -> Attributes:
    """Returns the settings of a recurrent layer or cell."""
    is_layer = not name.endswith("_cell")
    flags = [item for item in (*call.args, *call.kwargs.values()) if isinstance(item, bool)]
    # bias, train, bidirectional, batch_first; packed sequences have no batch_first
    return {
        "is_bidirectional": is_layer and len(flags) > 2 and flags[2],
        "batch_first": is_layer and len(flags) > 3 and flags[3],
    }


def deform_conv(call: Call, name: str) -> Attributes:
    """Returns the settings of a deformable convolution."""
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


def max_unpool(call: Call, name: str) -> Attributes:
    """Returns the settings of max unpooling."""
    axes = int(name[-2])
    kernel = per_axis(call.get("kernel_size", 2), axes)
    stride = call.get("stride", 3)
    return {
        "kernel": kernel,
        "stride": kernel if stride is None or stride == [] else per_axis(stride, axes),
        "padding": tuple((p, p) for p in per_axis(call.get("padding", 4, 0), axes)),
    }


def attention(call: Call, name: str) -> Attributes:
    """Returns the settings of attention."""
    if name == "multi_head_attention_forward":
        return {
            "num_heads": call.get("num_heads", 4),
            "embed_dim": call.get("embed_dim_to_check", 3),
            # PyTorch's layout here is (L, N, E); in scaled dot products it is (..., L, E).
            "sequence_first": True,
        }
    return {"is_causal": bool(call.get("is_causal", 5, False)), "sequence_first": False}
