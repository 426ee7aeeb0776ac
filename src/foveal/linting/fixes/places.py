"""Finding the modules that a finding speaks of."""

from __future__ import annotations

from torch import nn

from foveal.errors import UsageError
from foveal.linting.finding import Finding


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
