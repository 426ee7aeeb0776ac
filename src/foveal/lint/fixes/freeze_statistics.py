"""Keeps batch norms in evaluation mode for good."""

from __future__ import annotations

from functools import partial

from torch import nn

from foveal.errors import UsageError
from foveal.lint.finding import Finding
from foveal.lint.fixes.fix import Fix
from foveal.lint.fixes.places import module_at


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
    for norm in norms:
        norm.eval()
        # On the instance, so that a later model.train() finds it. A partial and no method:
        # pickle would look a method up by its name.
        norm.train = partial(stay_in_evaluation, norm)  # type: ignore[method-assign, assignment]


def stay_in_evaluation(module: nn.Module, mode: bool = True) -> nn.Module:
    """Stands in for ``module.train``: whatever is asked for, nothing changes."""
    return module


FIX = Fix("freeze-statistics", "keep running statistics as they are", "equal in eval", apply)
