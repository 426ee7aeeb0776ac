"""Which parameters the optimizer holds: T403, T404, T405, T408, T416."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.linting.weights.start_values import (
    MIN_DEFAULT,
    MIN_WEIGHTS,
    describe_start,
    is_default_start,
)
from foveal.linting.weights.stored import NO_VALUES, has_signs_of_training, weighted_layers
from foveal.text import count_noun

NO_OPTIMIZER = NotApplicable("no optimizer was given")


@dataclass(frozen=True, slots=True)
class Held:
    """One position in one group: which parameter the optimizer has there.

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


def parameters_not_held(context: LintContext) -> Outcome:
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
                location=names[0],
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


def parameters_held_twice(context: LintContext) -> Outcome:
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
                location=names[0],
                evidence=(
                    f"{count_noun(len(twice), 'parameter')} would be stepped more than once in "
                    f"each step ({where}): {listed(names)}."
                ),
                fix="Build the groups so that each parameter is in exactly one.",
                data={"num_twice": len(twice), "groups": groups, "names": names[:20]},
            ),
        )
    )


def foreign_parameters(context: LintContext) -> Outcome:
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
                location=missing[0][0] if missing else "",
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


def only_frozen_parameters(context: LintContext) -> Outcome:
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
                location=trainable[0] if trainable else "",
                evidence=f"{holds}; {rest}. No step changes anything.",
                fix=(
                    "Give the optimizer the parameters that are to be trained, usually the "
                    "head's, with requires_grad_(True)."
                ),
                data={"num_held": len(held), "num_trainable": len(trainable)},
            ),
        )
    )


def frozen_new_layers(context: LintContext) -> Outcome:
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
    # A small layer tells only of PyTorch's own start, not that it was drawn in another way.
    told = {path for path, _, weight in frozen if weight.numel() >= MIN_WEIGHTS} | {*new}
    if not new or len(new) < 0.8 * len(told) or len(new) < 0.5 * len(frozen):
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
