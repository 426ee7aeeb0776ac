"""Writing a PyTorch module as one ONNX file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

    from foveal.models import Backbone

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

    from foveal.features.fixed_padding import with_fixed_padding

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
