"""T408: nothing that the optimizer holds can change."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, held_parameters
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds an optimizer all of whose parameters are frozen, or that holds none."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    held = held_parameters(context)
    if any(entry.tensor.requires_grad for entry in held):
        return Checked()
    trainable = [name for name, p in context.model.named_parameters() if p.requires_grad]
    holds = (
        f"The optimizer holds {count_noun(len(held), 'parameter')}, none of which requires a "
        "gradient"
        if held
        else "The optimizer holds no parameters"
    )
    rest = (
        f"{count_noun(len(trainable), 'parameter')} of the model could be trained"
        if trainable
        else "nor does any of the model's"
    )
    return Checked(
        (
            Finding(
                code="T408",
                severity="error",
                place=trainable[0] if trainable else "",
                evidence=f"{holds}; {rest}. No step changes anything.",
                fix=(
                    "Give the optimizer the parameters that are to be trained, usually the "
                    "head's, with requires_grad_(True)."
                ),
                data={"num_held": len(held), "num_trainable": len(trainable)},
            ),
        )
    )


RULE = Rule("T408", "an optimizer with frozen parameters only", "error", check, topics=(13,))
