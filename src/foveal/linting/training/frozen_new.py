"""T416: layers that are frozen before they learned anything."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, held_parameters
from foveal.linting.weights.start_values import MIN_DEFAULT, describe_start, is_default_start
from foveal.linting.weights.stored import NO_VALUES, has_signs_of_training, weighted_layers


def check(context: LintContext) -> Outcome:
    """Finds frozen layers that look freshly drawn in a network of which other layers train.

    Most layers have to look so: a trained layer may look drawn by chance.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    if not context.has_values:
        return NO_VALUES
    held = {id(e.tensor) for e in held_parameters(context) if e.tensor.requires_grad}
    frozen = [
        (path, module, weight)
        for path, module, weight in weighted_layers(context)
        if not module.weight.requires_grad and weight.numel() >= MIN_DEFAULT
    ]
    if not frozen or not held:
        return NotApplicable("no layer large enough to tell is frozen beside others that train")
    if has_signs_of_training(context):
        return NotApplicable("the network has been trained")
    new = [
        path
        for path, module, weight in frozen
        if is_default_start(weight) or describe_start(module, weight) is not None
    ]
    if len(new) < max(1, 0.8 * len(frozen)):
        return Checked()
    return Checked(
        (
            Finding(
                "T416",
                "warning",
                new[0],
                f"{len(new)} of {len(frozen)} frozen layers (first {new[0]}) hold weights as drawn "
                "at the start: what is frozen never learned anything.",
                "Load trained weights before freezing, or train these layers.",
                data={"num_new": len(new), "num_frozen": len(frozen)},
            ),
        )
    )


RULE = Rule("T416", "layers frozen before they learned", "warning", check, topics=(13,))
