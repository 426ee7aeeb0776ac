"""T402: frozen weights whose batch norm still updates its statistics."""

from __future__ import annotations

from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, listed
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds batch norms in training mode whose own and neighbouring weights are frozen.

    ``requires_grad_(False)`` freezes weights, not statistics: in training mode a batch norm
    takes the statistics of each batch and moves its running ones, so the features of the
    frozen part change from step to step.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    norms = [
        (path, module)
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return NotApplicable("the model has no batch norm with running statistics")
    if not context.model.training and not any(norm.training for _, norm in norms):
        return NotApplicable(
            "the model is in evaluation mode; lint it as it is trained, after model.train()"
        )
    drifting = [
        path
        for path, norm in norms
        if norm.training and norm.momentum != 0.0 and _is_frozen(context, path, norm)
    ]
    if not drifting:
        return Checked()
    return Checked(
        (
            Finding(
                code="T402",
                severity="warning",
                place=drifting[0],
                evidence=(
                    f"{count_noun(len(drifting), 'batch norm')} of {len(norms)} "
                    f"{'is' if len(drifting) == 1 else 'are'} in training mode although the "
                    f"weights there are frozen: {listed(drifting)}. Each batch changes what "
                    "the frozen part computes, and its running statistics."
                ),
                fix=(
                    "Call eval() on the frozen part after each model.train(), so that its "
                    "statistics stay as they were learned."
                ),
                fix_id="freeze-statistics",
                data={"layers": drifting, "num_norms": len(norms)},
            ),
        )
    )


def _is_frozen(context: LintContext, path: str, norm: nn.Module) -> bool:
    """Whether the norm's own parameters, or, having none, all of its siblings' are frozen."""
    parameters = list(norm.parameters())
    if not parameters:
        parent = path.rpartition(".")[0]
        parameters = list((context.modules[parent] if parent else context.model).parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


RULE = Rule("T402", "frozen weights whose batch norm still updates", "warning", check, topics=(27,))
