"""Keeps batch norms in evaluation mode for good."""

from __future__ import annotations

from torch import nn

from foveal.errors import UsageError
from foveal.linting.finding import Finding
from foveal.linting.fixes.fix import Fix
from foveal.linting.fixes.places import module_at
from foveal.models.surgery.freeze import keep_in_evaluation


def apply(model: nn.Module, finding: Finding) -> None:
    """Makes ``model.train()`` pass by the batch norms that the finding names.

    They are in ``data["layers"]``; without that, those at and below ``finding.place``. Weights
    are not frozen by this, statistics are.
    """
    if "layers" in finding.data:
        chosen = [module_at(model, finding, str(path)) for path in finding.data["layers"]]
    else:
        chosen = list(module_at(model, finding, finding.place).modules())
    norms = [module for module in chosen if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise UsageError(
            f"There is no batch norm at {finding.place!r}.",
            next_step="Give the model that was linted, or lint this one.",
        )
    keep_in_evaluation(norms)


FIX = Fix("freeze-statistics", "keep running statistics as they are", "equal in eval", apply)
