"""T405: the optimizer holds parameters that are not the model's."""

from __future__ import annotations

from collections.abc import Sized

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome, Severity
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, held_parameters, listed
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds held parameters that no module of the model owns.

    So it is after a layer was replaced, or the model copied or moved, once the optimizer
    was built: the old parameters are stepped, the new ones are not.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    held = held_parameters(context)
    foreign = [entry for entry in held if entry.name is None]
    if not foreign:
        return Checked()
    owned = {id(entry.tensor) for entry in held}
    missing = [
        (name, parameter)
        for name, parameter in context.model.named_parameters()
        if parameter.requires_grad and id(parameter) not in owned
    ]
    # Parameters of a loss or of a second model are held beside the model's on purpose.
    severity: Severity = "error" if missing or len(foreign) == len(held) else "info"
    shapes = [f"{tuple(entry.tensor.shape)}" for entry in foreign[:3]]
    replaced = ""
    if missing:
        names = [name for name, _ in missing]
        replaced = f" The model's own {listed(names)} {_be(names)} in no group."
    return Checked(
        (
            Finding(
                code="T405",
                severity=severity,
                place=missing[0][0] if missing else "",
                evidence=(
                    f"{count_noun(len(foreign), 'parameter')} of {len(held)} in the optimizer "
                    f"{_be(foreign)} not the model's (of shape {', '.join(shapes)}).{replaced}"
                ),
                fix=(
                    "Build the optimizer after the last change of the model: new head, copy, "
                    "to(device)."
                    if severity == "error"
                    else "Nothing, if they belong to the loss or to another model on purpose."
                ),
                data={"num_foreign": len(foreign), "num_held": len(held)},
            ),
        )
    )


def _be(items: Sized) -> str:
    return "is" if len(items) == 1 else "are"


RULE = Rule("T405", "an optimizer with parameters of another model", "error", check)
