"""Padding that follows the picture's size, fixed to one size.

TensorFlow's "same" padding depends on the size of the input, and timm computes it in every
forward pass. Written to ONNX, that is a graph of its own around each such layer, which the
runtime can neither fold nor look through. A file is for one size of picture, so the numbers
are known beforehand.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


def with_fixed_padding(module: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Returns ``module``, or a copy whose "same" padding is fixed, with the same outputs.

    Args:
        module: Takes images [N, 3, H, W]; in evaluation mode.
        size: H and W in pixels; the copy is right for no other.
    """
    kinds = _same_kinds()
    if not any(isinstance(child, kinds) for child in module.modules()):
        return module
    fixed = copy.deepcopy(module)
    sizes: dict[str, tuple[int, int]] = {}
    handles = []
    for path, child in fixed.named_modules():
        if isinstance(child, kinds):

            def note(_: nn.Module, args: tuple[Any, ...], path: str = path) -> None:
                height, width = args[0].shape[-2:]
                sizes[path] = int(height), int(width)

            handles.append(child.register_forward_pre_hook(note))
    with torch.no_grad():
        fixed(torch.zeros(1, 3, *size))
    for handle in handles:
        handle.remove()
    for path, seen in sizes.items():
        parent, _, name = path.rpartition(".")
        setattr(fixed.get_submodule(parent), name, _fix(fixed.get_submodule(path), seen))
    return fixed


def _same_kinds() -> tuple[type[nn.Module], ...]:
    from timm.layers import Conv2dSame
    from timm.layers.pool2d_same import MaxPool2dSame

    return Conv2dSame, MaxPool2dSame


def _fix(layer: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Returns the layer as padding by known numbers and a layer that does not pad."""
    pairs = [
        _same_padding(length, *(_of(layer, name)[axis] for name in _WINDOW))
        for axis, length in enumerate(size)
    ]
    (top, bottom), (left, right) = pairs
    if isinstance(layer, nn.Conv2d):
        plain = nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]  # torch annotates its own tuples so
            layer.stride,  # type: ignore[arg-type]
            dilation=layer.dilation,  # type: ignore[arg-type]
            groups=layer.groups,
            bias=layer.bias is not None,
            device="meta",
        )
        plain.weight, plain.bias = layer.weight, layer.bias
        return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), plain.eval())
    pool = nn.MaxPool2d(_of(layer, "kernel_size"), _of(layer, "stride"), 0, _of(layer, "dilation"))
    pad = nn.ConstantPad2d((left, right, top, bottom), float("-inf"))
    return nn.Sequential(pad, pool).eval()


_WINDOW = ("kernel_size", "stride", "dilation")


def _of(layer: nn.Module, name: str) -> tuple[int, int]:
    value: Any = getattr(layer, name)
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _same_padding(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    # TensorFlow: as many outputs as strides begin, the odd zero after the picture.
    total = max((-(-length // stride) - 1) * stride + dilation * (kernel - 1) + 1 - length, 0)
    return total // 2, total - total // 2
