"""T417: a network about to be trained that is in evaluation mode."""

from __future__ import annotations

from foveal.inspection.gradient_flow import is_dropout
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER
from foveal.linting.weights.stored import has_signs_of_training, running_norms
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Looks at the mode of a new network that is given with all that a training step needs.

    A trained network may keep the statistics that it has.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    if context.batch is None or context.labels is None or context.loss is None:
        return NotApplicable("batch, labels and loss are needed: only they say that a step follows")
    if context.model.training or not context.has_values:
        return Checked()
    if context.is_pretrained or has_signs_of_training(context):
        return NotApplicable("the network is trained already")
    norms = [path for path, module in running_norms(context) if not module.training]
    dropouts = [
        path
        for path, module in context.modules.items()
        if is_dropout(module) and not module.training and float(getattr(module, "p", 0) or 0) > 0
    ]
    if not norms and not dropouts:
        return Checked()
    idle = []
    if norms:
        idle.append(
            f"{count_noun(len(norms), 'batch norm')} (first {norms[0]}) normalises with the mean 0 "
            "and variance 1 of a new layer"
        )
    if dropouts:
        idle.append(f"{count_noun(len(dropouts), 'dropout')} (first {dropouts[0]}) drops nothing")
    return Checked(
        (
            Finding(
                "T417",
                "warning",
                (norms + dropouts)[0],
                f"The network is in evaluation mode: {' and '.join(idle)}.",
                "Call model.train() before training, and again after each evaluation.",
                data={"num_norms": len(norms), "num_dropouts": len(dropouts)},
            ),
        )
    )


RULE = Rule("T417", "training in evaluation mode", "warning", check, topics=(27,))
