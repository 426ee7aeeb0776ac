"""S122 and S123: dropout and batch norms with settings that leave nothing to learn from."""

from __future__ import annotations

from torch import nn

from foveal.draw.numbers import percent
from foveal.inspection.gradient_flow import is_dropout
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

# Published networks drop up to 0.5 of the values of a layer, a few 0.7.
HIGHEST_DROPOUT = 0.8
# PyTorch's momentum is the share of the newest batch: 0.1, or 0.01; Keras writes 0.99 for that.
HIGHEST_MOMENTUM = 0.8


def check_dropout(context: LintContext) -> Outcome:
    """Finds dropout of nearly everything (Srivastava et al. 2014 drop 0.2 to 0.5)."""
    shares = {
        path: float(share)
        for path, module in context.modules.items()
        if is_dropout(module) and isinstance(share := getattr(module, "p", None), int | float)
    }
    if not shares:
        return NotApplicable("there is no dropout")
    return Checked(
        tuple(
            Finding(
                "S122",
                "error" if share >= 1 else "warning",
                path,
                f"{path} drops {percent(share)} of the values: in training "
                + ("nothing gets through." if share >= 1 else "little gets through."),
                "Drop 0.2 to 0.5; p is the share that is dropped, not the share that is kept.",
                data={"share": share},
            )
            for path, share in shares.items()
            if share >= HIGHEST_DROPOUT
        )
    )


def check_momentum(context: LintContext) -> Outcome:
    """Finds batch norms whose running statistics never move, or are those of the last batch."""
    norms = {
        path: module.momentum
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.track_running_stats
        and module.momentum is not None
    }
    if not norms:
        return NotApplicable("no batch norm keeps running statistics by a momentum")
    odd = {path: m for path, m in norms.items() if m <= 0 or m > HIGHEST_MOMENTUM}
    if not odd:
        return Checked()
    path, momentum = next(iter(odd.items()))
    what = (
        "never move from where they began"
        if momentum <= 0
        else "are nearly those of the last batch alone"
    )
    return Checked(
        (
            Finding(
                "S123",
                "warning",
                path,
                f"{len(odd)} of {len(norms)} batch norms (first {path}) have a momentum of "
                f"{momentum:g}: the running statistics that evaluation uses {what}.",
                "Give 0.1. PyTorch's momentum is the share of the newest batch; Keras' 0.99 is "
                "0.01 here.",
                data={"momentum": momentum, "num_norms": len(odd)},
            ),
        )
    )


DROPOUT = Rule("S122", "dropout of nearly everything", "error", check_dropout)
MOMENTUM = Rule(
    "S123", "batch norm statistics that do not average", "warning", check_momentum, (27,)
)
