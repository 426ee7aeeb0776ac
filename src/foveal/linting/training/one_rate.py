"""T401: pretrained and new layers learn at one rate."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, group_value, held_parameters
from foveal.linting.weights.start_values import MIN_WEIGHTS, describe_start
from foveal.text import count_noun

# A pretrained layer should move at half the rate of a new one, or less.
CLOSE = 0.5
# Rates from which on steps are large enough to undo what was learned (Adam's steps have the
# size of the rate whatever the gradient, so they count from a lower one).
LARGE_ADAPTIVE, LARGE_PLAIN = 5e-4, 5e-3
_MIN_TRAINED_SHARE = 0.5


def check(context: LintContext) -> Outcome:
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
    told = {path: new for path, new in is_new.items() if new is not None}
    old = [path for path, new in told.items() if not new]
    body = [path for path in told if path != head_path]
    if not body or len(set(old) & set(body)) < _MIN_TRAINED_SHARE * len(body):
        if context.is_pretrained:
            return Undetermined("the weights are said to be pretrained and do not look trained")
        return NotApplicable("most layers look freshly initialised: nothing is pretrained")
    if is_new[head_path] is None:
        return Undetermined(f"cannot tell whether the last layer {head_path!r} is new")
    new = [path for path, is_fresh in told.items() if is_fresh and path in rates]
    moving = [path for path in old if path in rates]
    if not new:
        return NotApplicable("no new layer is trained")
    if not moving:
        return Checked()
    fastest_old = max(moving, key=lambda path: rates[path])
    fastest_new = max(new, key=lambda path: rates[path])
    if rates[fastest_old] <= CLOSE * rates[fastest_new]:
        return Checked()
    return Checked((_finding(context, rates, moving, fastest_old, fastest_new),))


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


def _finding(
    context: LintContext, rates: dict[str, float], moving: list[str], old: str, new: str
) -> Finding:
    name = type(context.optimizer).__name__
    limit = LARGE_PLAIN if "SGD" in name else LARGE_ADAPTIVE
    severity: Severity = "warning" if rates[old] >= limit else "info"
    return Finding(
        code="T401",
        severity=severity,
        place=old,
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


RULE = Rule("T401", "pretrained and new layers at one rate", "warning", check, topics=(10, 13, 25))
