"""T409: a learning rate that trains nothing."""

from __future__ import annotations

import math

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome, Severity
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, group_value, held_parameters
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds groups whose rate is zero, negative or not a number.

    A scheduler that warms up begins at zero on purpose; it leaves ``initial_lr`` in the
    group, and such groups are passed by.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    held = held_parameters(context)
    groups = context.optimizer.param_groups
    dead = [index for index in range(len(groups)) if _is_dead(context, index)]
    findings = []
    for index in dead:
        rate = group_value(context, index, "lr")
        count = sum(entry.group_index == index for entry in held)
        severity: Severity = "error"
        if rate == 0 and len(dead) < len(groups):
            severity = "warning"
        findings.append(
            Finding(
                code="T409",
                severity=severity,
                place=next((e.name for e in held if e.group_index == index and e.name), ""),
                evidence=(
                    f"Group {index} of {len(groups)} has a learning rate of {rate:g}: its "
                    f"{count_noun(count, 'parameter')} "
                    + ("do not change." if rate == 0 else "move away from the minimum.")
                ),
                fix=(
                    "Give the group a positive rate, or freeze its parameters with "
                    "requires_grad_(False) and leave them out."
                ),
                data={"group_index": index, "lr": rate if math.isfinite(rate or 0) else None},
            )
        )
    return Checked(tuple(findings))


def _is_dead(context: LintContext, index: int) -> bool:
    assert context.optimizer is not None
    group = context.optimizer.param_groups[index]
    rate = group_value(context, index, "lr")
    if rate is None or not group["params"]:
        return False
    if rate == 0:
        return not float(group.get("initial_lr", 0.0)) > 0
    return not rate > 0 or not math.isfinite(rate)


RULE = Rule("T409", "a learning rate that trains nothing", "error", check, topics=(10,))
