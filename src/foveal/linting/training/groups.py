"""What an optimizer holds, matched with a model's parameters by identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from foveal.linting.context import LintContext
from foveal.linting.finding import NotApplicable

NO_OPTIMIZER = NotApplicable("no optimizer was given")


@dataclass(frozen=True, slots=True)
class Held:
    """One place of one group: which parameter the optimizer has there.

    Attributes:
        group_index: Position in ``optimizer.param_groups``.
        tensor: The parameter itself.
        name: Its name in the model; None if the model has no such parameter.
    """

    group_index: int
    tensor: Tensor
    name: str | None


def held_parameters(context: LintContext) -> list[Held]:
    """Returns everything the optimizer holds, in order; the same tensor as often as held."""
    assert context.optimizer is not None
    names = {id(parameter): name for name, parameter in context.model.named_parameters()}
    return [
        Held(index, tensor, names.get(id(tensor)))
        for index, group in enumerate(context.optimizer.param_groups)
        for tensor in group["params"]
    ]


def group_value(context: LintContext, group_index: int, key: str) -> float | None:
    """Returns a number that a group states, such as its learning rate; None if it has none."""
    assert context.optimizer is not None
    group: Mapping[str, Any] = context.optimizer.param_groups[group_index]
    value = group.get(key)
    return None if value is None else float(value)


def owner_of(context: LintContext, parameter_name: str) -> nn.Module:
    """Returns the layer that a parameter belongs to."""
    return context.modules.get(parameter_name.rpartition(".")[0], context.model)


def listed(names: list[str], *, at_most: int = 3) -> str:
    """Returns the first names, and how many there are beyond."""
    shown = ", ".join(repr(name) for name in names[:at_most])
    rest = len(names) - at_most
    return f"{shown} and {rest:,} more" if rest > 0 else shown
