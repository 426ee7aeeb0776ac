"""A copy to operate on, and modules replaced in it."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from foveal.errors import ModelError


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


def replace_module(model: nn.Module, path: str, replacement: nn.Module) -> None:
    """Puts ``replacement`` where the module at ``path`` is, in the same mode.

    A module that is registered under several paths is replaced under all of them.
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
