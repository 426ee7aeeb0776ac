"""T406: weight decay on normalisation parameters and biases."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.training.groups import (
    NO_OPTIMIZER,
    Held,
    group_value,
    held_parameters,
    listed,
    owner_of,
)
from foveal.text import count_noun


def check(context: LintContext) -> Outcome:
    """Finds scales, shifts and biases that are pulled towards zero.

    Decay limits what a layer can compute through the size of its weights; a bias adds no
    such capacity, and a norm's scale is cancelled by what follows or is meant to be free.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    decayed: list[tuple[Held, str, float]] = []
    for entry in held_parameters(context):
        decay = group_value(context, entry.group_index, "weight_decay")
        if entry.name is None or not entry.tensor.requires_grad or not decay:
            continue
        kind = _kind(context, entry.name)
        if kind is not None:
            decayed.append((entry, kind, decay))
    if not decayed:
        return Checked()
    names = [entry.name or "" for entry, _, _ in decayed]
    num_norm = sum(kind == "norm" for _, kind, _ in decayed)
    num_bias = len(decayed) - num_norm
    decays = sorted({decay for _, _, decay in decayed})
    return Checked(
        (
            Finding(
                code="T406",
                severity="info",
                place=names[0],
                evidence=(
                    f"Weight decay of {', '.join(f'{decay:g}' for decay in decays)} also pulls at "
                    f"{count_noun(num_norm, 'parameter')} of normalisation layers and "
                    f"{count_noun(num_bias, 'bias', 'biases')}: {listed(names)}."
                ),
                fix=(
                    "Put parameters of one dimension in a group of their own with weight_decay=0."
                ),
                data={
                    "num_norm_parameters": num_norm,
                    "num_biases": num_bias,
                    "weight_decay": decays,
                },
            ),
        )
    )


def _kind(context: LintContext, name: str) -> str | None:
    module = owner_of(context, name)
    last = name.rpartition(".")[2]
    if "norm" in type(module).__name__.lower():
        return "norm"
    if last == "bias" and context.parameters[name].dim() <= 1:
        return "bias"
    return None


RULE = Rule("T406", "weight decay on norms and biases", "info", check)
