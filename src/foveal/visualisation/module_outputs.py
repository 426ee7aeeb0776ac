"""Tensors of a network that cannot be traced: results of its modules, caught by hooks.

A network that branches on the values in a picture has no complete graph. Its modules can
still be named; what its ``forward`` does between them cannot.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation as activations

from foveal.errors import ModelError, UsageError
from foveal.graph import Graph
from foveal.graph.structure import tensors_in
from foveal.text import near_names
from foveal.visualisation.objectives import ClassLogit, Objective
from foveal.visualisation.targets import Target, layout_of, require_fit

# Modules with one tensor in and its function, element by element, out.
_ACTIVATIONS = tuple(
    getattr(activations, name) for name in activations.__all__ if name != "MultiheadAttention"
)


class _ReachedError(BaseException):
    """Ends the forward pass where the wanted tensor is; no ``except Exception`` stops it."""


class UpToModule(nn.Module):
    """From pictures to what a module gets or gives, at its first call."""

    def __init__(self, model: nn.Module, path: str, *, before: bool) -> None:
        super().__init__()
        # In a tuple, so that it does not become a submodule whose modes one might set.
        self._lent = (model,)
        self._path = path
        self._before = before

    def forward(self, pictures: Tensor) -> Tensor:
        """Runs the model as far as the tensor.

        Raises:
            ModelError: The module was not called, or handed no tensor.
        """
        caught: list[Any] = []

        def stop(_module: nn.Module, args: Any, result: Any = None) -> None:
            caught.append(args if self._before else result)
            raise _ReachedError

        (model,) = self._lent
        module = model.get_submodule(self._path)
        handle = (
            module.register_forward_pre_hook(stop)
            if self._before
            else module.register_forward_hook(stop)
        )
        try:
            with suppress(_ReachedError):
                model(pictures)
        finally:
            handle.remove()
        tensors = tensors_in(caught)
        if not tensors:
            raise ModelError(
                f"No tensor passed {self._path!r} of {type(model).__name__} for this picture.",
                next_step="Choose a module that every picture goes through.",
            )
        return tensors[0]


class ModuleSites:
    """Tensors of a model without complete graph, which must stay in evaluation mode."""

    def __init__(self, model: nn.Module, graph: Graph) -> None:
        self._model = model
        self._graph = graph
        self._found: dict[Target, UpToModule] = {}

    def find(self, objective: Objective) -> Target:
        """Returns the tensor that an objective is about.

        The first result of a module, what goes into it where it is an activation, or for a
        class what the model returns.

        Raises:
            UsageError: There is no such module, channel or class.
            ModelError: The module is not called.
        """
        path = "" if isinstance(objective, ClassLogit) else objective.layer
        paths = dict(self._model.named_modules())
        if path not in paths or (path == "" and not isinstance(objective, ClassLogit)):
            near = near_names(path, paths)
            raise UsageError(
                f"{self._graph.model_type} has no module named {path!r}, and of its operations "
                f"none can be named: {self._graph.reason}.",
                next_step=f"Did you mean {' or '.join(near)}?" if near else None,
            )
        is_activation = isinstance(paths[path], (*_ACTIVATIONS, nn.Softmax))
        reason = (
            f"it goes into the activation {path!r}"
            if is_activation
            else "it is the result of the module named"
            if path
            else "it is the network's output"
        )
        way = UpToModule(self._model, path, before=is_activation)
        shape = self._shape(way)
        layout = layout_of(shape, self._graph.inputs[0].shape)
        name = path or "output"
        if layout is None:
            raise UsageError(f"{name!r} gives neither a map nor a vector: its result is {shape}.")
        target = Target(-1, 0, name, shape, layout, reason)
        require_fit(target, objective)
        self._found.setdefault(target, way)
        return target

    def up_to(self, target: Target) -> UpToModule:
        """Returns the module that maps pictures to a tensor that was found before."""
        return self._found[target]

    def _shape(self, way: UpToModule) -> tuple[int, ...]:
        item = self._graph.inputs[0]
        anchor = next(self._model.parameters(), torch.zeros(()))
        dtype: torch.dtype = getattr(torch, item.dtype)
        with torch.no_grad():
            grey = torch.full(item.shape, 0.1, dtype=dtype, device=anchor.device)
            return tuple(way(grey).shape)
