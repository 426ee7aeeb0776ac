"""T404: parameters that the optimizer holds twice."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, Held, held_parameters, listed
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds parameters that are stepped more than once in each step."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    by_tensor: dict[int, list[Held]] = {}
    for entry in held_parameters(context):
        by_tensor.setdefault(id(entry.tensor), []).append(entry)
    twice = [entries for entries in by_tensor.values() if len(entries) > 1]
    if not twice:
        return Checked()
    names = [entries[0].name or "(not in the model)" for entries in twice]
    groups = sorted({entry.group_index for entries in twice for entry in entries})
    where = (
        f"group {groups[0]} lists them twice"
        if len(groups) == 1
        else f"they are in groups {', '.join(map(str, groups))}"
    )
    return Checked(
        (
            Finding(
                code="T404",
                severity="error",
                place=names[0],
                evidence=(
                    f"{count_noun(len(twice), 'parameter')} would be stepped more than once in "
                    f"each step ({where}): {listed(names)}."
                ),
                fix="Build the groups so that each parameter is in exactly one.",
                data={"num_twice": len(twice), "groups": groups, "names": names[:20]},
            ),
        )
    )


RULE = Rule("T404", "parameters in two groups", "error", check)
