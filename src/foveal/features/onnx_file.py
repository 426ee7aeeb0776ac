"""Writing a PyTorch module as one ONNX file.

TensorFlow's "same" padding depends on the size of the input, and timm computes it in every
forward pass. Written to ONNX, that is a graph of its own around each such layer, which the
runtime can neither fold nor look through. A file is for one size of image, so the numbers
are known beforehand and are fixed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

    from foveal.models import Backbone


def with_fixed_padding(module: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Returns ``module``, or a copy whose "same" padding is fixed, with the same outputs.

    Args:
        module: Takes images [N, 3, H, W]; in evaluation mode.
        size: H and W in pixels; the copy is right for no other.
    """
    import torch

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
    from torch import nn

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
    # TensorFlow: as many outputs as strides begin, the odd zero after the image.
    total = max((-(-length // stride) - 1) * stride + dilation * (kernel - 1) + 1 - length, 0)
    return total // 2, total - total // 2


OPSET = 17

_CACHE_VERSION = 2  # bump when the same backbone would give another file
_DIGEST_BYTES = 32


def export_onnx(module: nn.Module, size: tuple[int, int], *, output_names: Sequence[str]) -> bytes:
    """Returns ``module`` as ONNX: ``images [N, 3, H, W]`` in, N free, the named outputs out.

    Args:
        module: In evaluation mode; takes one float32 batch.
        size: Height and width of the input in pixels.
        output_names: One name for each tensor the module returns.
    """
    import torch

    module = with_fixed_padding(module, size)
    buffer = io.BytesIO()
    height, width = size
    # A failing export prints its whole graph; stdout is for results.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with warnings.catch_warnings():
        # The newer exporter takes several times as long for the same operations; the warnings
        # of this one ask to move to it. See docs/decisions/0003.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(2, 3, height, width),),
            buffer,  # type: ignore[arg-type]  # takes a file object too, as its docstring says
            input_names=["images"],
            output_names=list(output_names),
            dynamic_axes={name: {0: "batch"} for name in ("images", *output_names)},
            opset_version=OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def export_backbone(backbone: Backbone, size: tuple[int, int], cache: Path) -> bytes:
    """Returns the backbone without its head as ONNX, from the cache where it is held."""
    height, width = size
    name = f"{backbone.name}-{backbone.weights.digest[:16]}-{height}x{width}-v{_CACHE_VERSION}.bin"
    file = cache / "onnx" / name
    with contextlib.suppress(OSError):
        stored = file.read_bytes()
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() == digest:  # damage could pass for other weights
            return content
    content = export_onnx(backbone.feature_network(), size, output_names=["features"])
    with contextlib.suppress(OSError):  # then the next run exports once more
        write_atomically(file, hashlib.sha256(content).digest() + content)
    return content
