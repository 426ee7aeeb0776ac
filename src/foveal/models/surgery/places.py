"""Modules by path: copying the network around them, finding them, replacing them."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.text import near_names


def own_copy(model: nn.Module) -> nn.Module:
    """Returns a copy that shares nothing with ``model``.

    Raises:
        ModelError: The model holds something that cannot be copied.
    """
    try:
        return copy.deepcopy(model)
    except Exception as error:  # whatever an attribute's own copying raises
        raise ModelError(
            f"{type(model).__name__} cannot be copied: {error}",
            next_step="Take out what it keeps from a forward pass (tensors with a history, open "
            "files) before operating on it.",
        ) from error


def module_at(model: nn.Module, path: str) -> nn.Module:
    """Returns the module at ``path``.

    Raises:
        UsageError: There is none; near paths are offered.
    """
    try:
        return model.get_submodule(path)
    except AttributeError:
        near = near_names(path, [name for name, _ in model.named_modules() if name])
        raise UsageError(
            f"{type(model).__name__} has no module {path!r}.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else None,
        ) from None


def replace_module(model: nn.Module, path: str, replacement: nn.Module) -> None:
    """Puts ``replacement`` where the module at ``path`` is, in the same mode.

    A module that is registered in several places is replaced in all of them.
    """
    old = model.get_submodule(path)
    replacement.train(old.training)
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, replacement)


def unfilled(kind: type[nn.Module], *arguments: Any, **settings: Any) -> Any:
    """Returns a layer whose weights hold nothing yet, without drawing random numbers for them."""
    return nn.utils.skip_init(kind, *arguments, **settings)  # type: ignore[no-untyped-call]
