"""T403: trainable parameters that the optimizer does not hold."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, held_parameters, listed
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds parameters with ``requires_grad`` that are in no group: they never change."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    held = {id(entry.tensor) for entry in held_parameters(context)}
    trainable = [(n, p) for n, p in context.model.named_parameters() if p.requires_grad]
    missing = [(name, parameter) for name, parameter in trainable if id(parameter) not in held]
    if not missing:
        return Checked()
    count = sum(parameter.numel() for _, parameter in missing)
    total = sum(parameter.numel() for _, parameter in trainable)
    names = [name for name, _ in missing]
    return Checked(
        (
            Finding(
                code="T403",
                severity="warning",
                place=names[0],
                evidence=(
                    f"{count_noun(len(missing), 'trainable parameter')} of {len(trainable)} "
                    f"({count:,} of {total:,} weights) {'is' if len(missing) == 1 else 'are'} in "
                    f"no group of the optimizer: {listed(names)}. They get gradients and never "
                    "change."
                ),
                fix=(
                    "Add them to a group; or freeze them with requires_grad_(False), which "
                    "also saves their backward pass."
                ),
                data={"num_missing": len(missing), "num_weights": count, "names": names[:20]},
            ),
        )
    )


RULE = Rule("T403", "trainable parameters in no group", "warning", check, topics=(13,))
