"""Finding the modules that a finding speaks of, and putting others in their place."""

from __future__ import annotations

from torch import nn

from foveal.errors import UsageError
from foveal.lint.finding import Finding


def module_at(model: nn.Module, finding: Finding, path: str) -> nn.Module:
    """Returns the module at ``path``.

    Raises:
        UsageError: The model has none there, so the finding is another model's.
    """
    try:
        return model.get_submodule(path)
    except AttributeError:
        raise UsageError(
            f"{type(model).__name__} has no module {path!r}, which {finding.code} names.",
            next_step="Give the model that was linted, or lint this one.",
        ) from None


def replace_module(model: nn.Module, path: str, replacement: nn.Module) -> None:
    """Puts ``replacement`` where the module at ``path`` is, in the same mode."""
    parent_path, _, name = path.rpartition(".")
    parent = model.get_submodule(parent_path)
    replacement.train(parent.get_submodule(name).training)
    setattr(parent, name, replacement)
