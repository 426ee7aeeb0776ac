"""Momentum, weight decay or direction that no training can use: T413."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome, Severity
from foveal.linting.losses import KNOWN, loss_name
from foveal.linting.training.learning_rates import optimizer_name
from foveal.linting.training.optimizer_groups import NO_OPTIMIZER, held_parameters

# A step shrinks weights by rate times decay. Published recipes go to 1e-3 where the decay is
# part of the gradient, and to 0.3 where it is decoupled (AdamW).
HIGHEST_DECAY, HIGHEST_DECOUPLED_DECAY = 0.05, 2.0
# Momentum m sums 1 / (1 - m) gradients: 0.999 would follow a thousand.
HIGHEST_MOMENTUM = 0.995
# TensorFlow's Inception was trained with an eps of 1, the largest in a published recipe.
HIGHEST_EPS = 1.0
ADAPTIVE = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop"})
Problem = tuple[Severity, str, str]


def optimizer_settings(context: LintContext) -> Outcome:
    """Reads each group's settings beside the learning rate."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    held = held_parameters(context)
    findings = []
    for index, group in enumerate(context.optimizer.param_groups):
        location = next((e.name for e in held if e.group_index == index and e.name), "")
        findings += [
            Finding("T413", severity, location, evidence, fix, data={"group_index": index})
            for severity, evidence, fix in _problems(context, group)
        ]
    # Groups mostly share their settings; the first is enough.
    unique: dict[str, Finding] = {}
    for finding in findings:
        unique.setdefault(finding.evidence, finding)
    return Checked(tuple(unique.values()))


def _problems(context: LintContext, group: Mapping[str, Any]) -> Iterator[Problem]:
    decay = float(group.get("weight_decay") or 0)
    is_decoupled = (
        bool(group.get("decoupled_weight_decay")) or optimizer_name(context.optimizer) == "AdamW"
    )
    highest = HIGHEST_DECOUPLED_DECAY if is_decoupled else HIGHEST_DECAY
    if decay < 0:
        yield (
            "error",
            f"Weight decay of {decay:g} lets weights grow without end.",
            "Give a weight decay of zero or above.",
        )
    elif decay > highest:
        yield (
            "error" if decay > 10 * highest else "warning",
            f"Weight decay of {decay:g} is far above what trains ({highest:g} at most"
            f"{', decoupled' if is_decoupled else ''}): it outweighs the loss, and all weights go "
            "to zero.",
            f"Give {'0.01 to 0.1' if is_decoupled else '1e-5 to 1e-3'}.",
        )
    momentum = group.get("momentum")
    if momentum is not None and float(momentum) > HIGHEST_MOMENTUM:
        summed = "without end" if momentum >= 1 else f"over {1 / (1 - float(momentum)):,.0f} steps"
        yield (
            "error" if momentum >= 1 else "warning",
            f"Momentum of {float(momentum):g} adds up gradients {summed}.",
            "Give 0.9.",
        )
    if momentum and float(group.get("dampening") or 0) >= 1:
        yield (
            "error",
            f"Dampening of {float(group['dampening']):g} keeps new gradients out of the momentum.",
            "Give dampening=0.",
        )
    betas = group.get("betas")
    if betas is not None and len(betas) == 2:
        first, second = (float(beta) for beta in betas)
        if first > HIGHEST_MOMENTUM or second < first - 0.1:
            yield (
                "warning",
                f"Betas of {first:g} and {second:g}: the mean of the gradients follows "
                f"{'slower than their size' if second < first else 'too slowly'}.",
                "Give (0.9, 0.999), in this order.",
            )
    if group.get("eps") is not None and optimizer_name(context.optimizer) and group["eps"] <= 0:
        yield (
            "warning",
            f"eps of {group['eps']:g} divides by zero where a gradient is zero.",
            "Give 1e-8.",
        )
    is_adaptive = optimizer_name(context.optimizer) in ADAPTIVE
    if is_adaptive and float(group.get("eps") or 0) > HIGHEST_EPS:
        yield (
            "warning",
            f"eps of {float(group['eps']):g} is far above the size of any gradient: it divides "
            "the rate by itself, and nothing is adapted.",
            "Give 1e-8.",
        )
    if group.get("maximize"):
        is_known = loss_name(context.loss) in KNOWN
        yield (
            "error" if is_known else "warning",
            "The optimizer goes uphill (maximize=True)"
            + (f", and {loss_name(context.loss)} is to fall." if is_known else "."),
            "Leave maximize at False.",
        )
