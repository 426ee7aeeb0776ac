"""A model on loan for passes that would change it: buffers and gradients come back too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from foveal.graph.borrowing import borrowed


@contextmanager
def fully_borrowed(model: nn.Module) -> Iterator[nn.Module]:
    """Lends ``model`` for real forward and backward passes, in any mode.

    Beyond what ``foveal.graph.borrowing.borrowed`` restores (training flags, hooks, attributes,
    random state), the values of all buffers, such as running statistics, the ``.grad`` of
    every parameter and its ``requires_grad`` are afterwards as before, also after an error.
    """
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    gradients = [
        (
            parameter,
            parameter.requires_grad,
            parameter.grad,
            None if parameter.grad is None else parameter.grad.detach().clone(),
        )
        for parameter in model.parameters()
    ]
    with borrowed(model):
        try:
            yield model
        finally:
            with torch.no_grad():
                for buffer, values in buffers:
                    buffer.copy_(values)
                for parameter, needs_gradient, gradient, kept in gradients:
                    parameter.requires_grad_(needs_gradient)
                    parameter.grad = gradient
                    if gradient is not None and kept is not None:
                        gradient.copy_(kept)
