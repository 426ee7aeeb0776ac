"""Learning rates that train nothing, too little or too much: T401, T409, T412."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.linting.training.optimizer_groups import NO_OPTIMIZER, group_value, held_parameters
from foveal.linting.weights.start_values import MIN_WEIGHTS, describe_start
from foveal.linting.weights.stored import has_signs_of_training
from foveal.text import count_noun


def dead_learning_rate(context: LintContext) -> Outcome:
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
                location=next((e.name for e in held if e.group_index == index and e.name), ""),
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


@dataclass(frozen=True, slots=True)
class Range:
    """Rates that are in use.

    Attributes:
        lowest: For a network that begins with new weights.
        lowest_tuning: For one that is trained already.
        highest: Beyond it hardly any network trains.
    """

    lowest: float
    lowest_tuning: float
    highest: float


# Steps of SGD have the size of rate times gradient; those of Adam and its relatives the size
# of the rate, whatever the gradient: 0.1 is more than the weights of an ordinary layer.
# Adadelta's rate is a factor around 1.
USUAL_RATES: dict[str, Range] = {
    "SGD": Range(1e-5, 1e-8, 0.9),
    "Adam": Range(1e-6, 1e-9, 0.05),
    "AdamW": Range(1e-6, 1e-9, 0.05),
    "NAdam": Range(1e-6, 1e-9, 0.05),
    "RAdam": Range(1e-6, 1e-9, 0.05),
    "Adamax": Range(1e-6, 1e-9, 0.1),
    "RMSprop": Range(1e-6, 1e-9, 0.1),
    "Adagrad": Range(1e-5, 1e-8, 1.0),
    "Adadelta": Range(5e-3, 1e-4, 10.0),
}
# So many times beyond the highest is an error.
_HOPELESS = 5
_USUAL_BATCH = 256
# Momentum m adds up 1 / (1 - m) steps in one direction. 0.1 to 0.5 with 0.9 is usual, up to 5.
HIGHEST_SUMMED = 9.0


def rate_out_of_range(context: LintContext) -> Outcome:
    """Compares each group's rate with what its optimizer can use.

    A scheduler's ``initial_lr`` counts where it is higher, so a warm-up is no finding.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    name = optimizer_name(context.optimizer)
    if name is None:
        return NotApplicable(f"no range is known for {type(context.optimizer).__name__}")
    usual = USUAL_RATES[name]
    # Rates grow with the batch (Goyal et al. 2017 take 3.2 for 8,192 images).
    highest_rate = usual.highest * max(1.0, _planned_batch_size(context) / _USUAL_BATCH)
    is_trained = bool(context.is_pretrained) or (
        context.has_values and has_signs_of_training(context)
    )
    lowest = usual.lowest_tuning if is_trained else usual.lowest
    held = held_parameters(context)
    findings = []
    rates = [_rate(context, index) for index in range(len(context.optimizer.param_groups))]
    highest = max((rate for rate in rates if rate is not None), default=0.0)
    for index, rate in enumerate(rates):
        # Zero and below is T409's; a group may be slow beside another that is not.
        if rate is None or not rate > 0 or (rate < lowest <= highest):
            continue
        summed = _summed(context, index)
        if lowest <= rate <= highest_rate:
            if summed is not None and rate * summed > HIGHEST_SUMMED * highest_rate / usual.highest:
                findings.append(_too_fast_in_sum(context, index, rate, summed))
            continue
        is_high = rate > highest_rate
        severity: Severity = "error" if rate >= _HOPELESS * highest_rate else "warning"
        steps = "steps undo what is learned" if is_high else "thousands of steps change nothing"
        findings.append(
            Finding(
                "T412",
                severity,
                next((e.name for e in held if e.group_index == index and e.name), ""),
                f"A learning rate of {rate:g} is far {'above' if is_high else 'below'} what {name} "
                f"is used with on {'trained' if is_trained else 'new'} weights "
                f"({lowest:g} to {highest_rate:g}): {steps}.",
                f"Begin with {_SUGGESTED[name]}.",
                data={"lr": rate, "lowest": lowest, "highest": highest_rate},
            )
        )
    return Checked(tuple(findings))


_SUGGESTED = dict.fromkeys(USUAL_RATES, "0.001") | {
    "SGD": "0.01 to 0.1 (a tenth to a hundredth for trained weights)",
    "Adagrad": "0.01",
    "Adadelta": "1",
}


def optimizer_name(optimizer: object) -> str | None:
    """Returns which of PyTorch's optimizers it is or derives from, if its rates are known."""
    for base in type(optimizer).__mro__:
        if base.__name__ in USUAL_RATES and base.__module__.startswith("torch.optim"):
            return base.__name__
    return None


def _summed(context: LintContext, index: int) -> float | None:
    """Returns how many steps of SGD in one direction momentum adds up; None where it has none."""
    assert context.optimizer is not None
    momentum = group_value(context, index, "momentum")
    if optimizer_name(context.optimizer) != "SGD" or not momentum or not 0 < momentum < 1:
        return None
    dampening = group_value(context, index, "dampening") or 0.0
    return (1 - dampening) / (1 - momentum)


def _too_fast_in_sum(context: LintContext, index: int, rate: float, summed: float) -> Finding:
    assert context.optimizer is not None
    held = held_parameters(context)
    momentum = context.optimizer.param_groups[index]["momentum"]
    return Finding(
        "T412",
        "warning",
        next((e.name for e in held if e.group_index == index and e.name), ""),
        f"A learning rate of {rate:g} with a momentum of {momentum:g} moves as a rate of "
        f"{rate * summed:g} would: momentum adds up {summed:,.0f} steps.",
        "Give momentum=0.9, or divide the rate by as much as momentum adds up more.",
        data={"lr": rate, "momentum": momentum, "summed": rate * summed},
    )


def _planned_batch_size(context: LintContext) -> int:
    stated = (context.settings or {}).get("batch_size")
    return int(stated) if stated is not None else 0 if context.batch is None else len(context.batch)


def _rate(context: LintContext, index: int) -> float | None:
    assert context.optimizer is not None
    if not context.optimizer.param_groups[index]["params"]:
        return None
    rate = group_value(context, index, "lr")
    planned = group_value(context, index, "initial_lr")
    return rate if rate is None or planned is None else max(rate, planned)


# A pretrained layer should move at half the rate of a new one, or less.
CLOSE = 0.5
# Rates from which on steps are large enough to undo what was learned (Adam's steps have the
# size of the rate whatever the gradient, so they count from a lower one).
LARGE_ADAPTIVE, LARGE_PLAIN = 5e-4, 5e-3
_MIN_TRAINED_SHARE = 0.5


def one_rate(context: LintContext) -> Outcome:
    """Tells pretrained from new layers by their weights, and compares their rates."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    if context.is_pretrained is False:
        return NotApplicable("the weights are said not to be pretrained")
    if not context.has_values:
        return NotApplicable("the weights have no values (the model is on the meta device)")
    rates = _rates(context)
    layers = [
        (path, module)
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
        and isinstance(getattr(module, "weight", None), nn.Parameter)
    ]
    if not layers:
        return NotApplicable("the model has no convolution or linear layer")
    head_path = layers[-1][0]
    is_new = {path: _is_new(module, is_head=path == head_path) for path, module in layers}
    judged = {path: new for path, new in is_new.items() if new is not None}
    old = [path for path, new in judged.items() if not new]
    body = [path for path in judged if path != head_path]
    if not body or len(set(old) & set(body)) < _MIN_TRAINED_SHARE * len(body):
        if context.is_pretrained:
            return Undetermined("the weights are said to be pretrained and do not look trained")
        return NotApplicable("most layers look freshly initialised: nothing is pretrained")
    if is_new[head_path] is None:
        return Undetermined(f"cannot tell whether the last layer {head_path!r} is new")
    new = [path for path, is_fresh in judged.items() if is_fresh and path in rates]
    moving = [path for path in old if path in rates]
    if not new:
        return NotApplicable("no new layer is trained")
    if not moving:
        return Checked()
    fastest_old = max(moving, key=lambda path: rates[path])
    fastest_new = max(new, key=lambda path: rates[path])
    if rates[fastest_old] <= CLOSE * rates[fastest_new]:
        return Checked()
    return Checked((_one_rate_finding(context, rates, moving, fastest_old, fastest_new),))


def _rates(context: LintContext) -> dict[str, float]:
    """Returns the learning rate of each layer whose weight is trained, by its path."""
    found: dict[str, float] = {}
    for entry in held_parameters(context):
        rate = group_value(context, entry.group_index, "lr")
        if entry.name is None or rate is None or not entry.tensor.requires_grad:
            continue
        path, _, last = entry.name.rpartition(".")
        if last == "weight" and rate > 0:
            found[path] = rate
    return found


def _is_new(module: nn.Module, *, is_head: bool) -> bool | None:
    """Whether a layer's weights look freshly drawn; None where there are too few to tell."""
    weight, bias = module.weight, getattr(module, "bias", None)
    assert isinstance(weight, torch.Tensor)
    weight = weight.detach()
    if not bool(weight.any()):
        return True
    if is_head and isinstance(bias, torch.Tensor):
        # One step of training moves every bias of a classifier away from zero.
        if not bool(bias.detach().any()):
            return True
        if weight.numel() < MIN_WEIGHTS or _is_uniform(weight):
            return _is_uniform(weight)
    if weight.numel() < MIN_WEIGHTS:
        return None
    return describe_start(module, weight) is not None


def _is_uniform(weight: torch.Tensor) -> bool | None:
    """As PyTorch draws a layer: uniform within ±1/√(fan in), and nearly reaching it."""
    bound = weight[0].numel() ** -0.5
    reach = float(weight.abs().max()) / bound
    if reach > 1 + 1e-6:
        return False
    count = weight.numel()
    if count < 50:
        return None
    # Of n uniform numbers the largest falls short of 1 - 7/n once in a thousand draws, and
    # their deviation is 1/√3 of the bound with a relative standard error of 0.45/√n.
    spread = float(weight.std()) / bound * 3**0.5
    if reach > 1 - 7 / count and abs(spread - 1) < 4 * 0.45 / count**0.5:
        return True
    return None


def _one_rate_finding(
    context: LintContext, rates: dict[str, float], moving: list[str], old: str, new: str
) -> Finding:
    name = type(context.optimizer).__name__
    limit = LARGE_PLAIN if "SGD" in name else LARGE_ADAPTIVE
    severity: Severity = "warning" if rates[old] >= limit else "info"
    return Finding(
        code="T401",
        severity=severity,
        location=old,
        evidence=(
            f"{count_noun(len(moving), 'layer')} with trained weights (such as {old!r}) learn at "
            f"{rates[old]:g}, the new {new!r} at {rates[new]:g} ({name})."
        ),
        fix=(
            "Give the pretrained layers a group with a tenth to a hundredth of the new "
            "layer's rate, or freeze them until the new one has settled."
        ),
        data={"pretrained_lr": rates[old], "new_lr": rates[new], "num_pretrained": len(moving)},
    )
