"""A model lent for real passes: in evaluation mode, and afterwards as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from foveal.errors import ModelError
from foveal.graph.borrowing import borrowed


@contextmanager
def predicting(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Lends ``model`` as it predicts: every module in evaluation mode, gradients off.

    What is explained is the network that answers, so dropout and batch statistics are off
    whatever mode it is found in. Afterwards, also after an error, each module has the mode it
    had; hooks, attributes, the random state and the values of buffers are restored. Works
    inside ``torch.no_grad()`` and ``torch.inference_mode()``, whose state comes back too.

    Raises:
        ModelError: The model has no weights, only shapes.
    """
    modules = list(model.modules())
    parameters = (tensor for module in modules for tensor in module._parameters.values())
    if any(tensor is not None and tensor.is_meta for tensor in parameters):
        raise ModelError(
            f"{type(model).__name__} is on the meta device: it has shapes, but no weights to "
            "explain.",
            next_step="Build it on a real device and load its weights.",
        )
    with torch.inference_mode(False), torch.no_grad(), borrowed(model):
        buffers = [
            (buffer, _version(buffer), buffer.clone())
            for module in modules
            for buffer in module._buffers.values()
            if buffer is not None
        ]
        try:
            for module in modules:
                if module.training:
                    module.training = False
            yield model
        finally:
            for buffer, version, values in buffers:
                if version is None or buffer._version != version:
                    _restore(buffer, values)


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _restore(buffer: torch.Tensor, values: torch.Tensor) -> None:
    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
        buffer.copy_(values)
