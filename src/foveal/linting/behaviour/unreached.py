"""B307: layers that no gradient reaches."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from foveal.graph.nested_tensors import tensors_with_paths
from foveal.layers import borrowed
from foveal.linting.behaviour.passes import (
    call,
    copied,
    first_line,
    images_of,
    reason_not_to_run,
    set_training_modes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
    Severity,
)
from foveal.linting.structure.wiring import unread_layers

MAX_IMAGES = 8
# Branches that begin at zero on purpose give no gradient yet; with a little noise they do.
_NOISE, _NOISE_ON_ZERO = 0.01, 0.01
Reach = Literal["reached", "cut", "zero", "not called"]


@dataclass(frozen=True, slots=True)
class _Layer:
    path: str
    reach: Reach
    weight: Tensor


def unreached_layers(context: LintContext) -> Outcome:
    """Differentiates every output of a copy, and looks which layers' weights get a gradient.

    The copy's weights are disturbed a little first, and two passes have to agree. Layers that
    are frozen, or that the optimizer does not hold, are left out.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    wanted = set(_trained_layers(context))
    if not wanted:
        return NotApplicable("no convolution or linear layer here is to be trained")
    first = measure_reach(context, seed=0)
    if all(layer.reach == "reached" for layer in first if layer.path in wanted):
        return Checked()
    second = measure_reach(context, seed=1)
    agreed = [
        one
        for one, other in zip(first, second, strict=True)
        if one.path in wanted and one.reach == other.reach
    ]
    lost = [layer for layer in agreed if layer.reach != "reached"]
    try:
        unread = set(unread_layers(context.graph))
    except CannotTellError:
        unread = set()
    findings = []
    for reach in ("cut", "zero", "not called"):
        # Results that nothing reads are findings of S118.
        group = [item.path for item in lost if item.reach == reach and item.path not in unread]
        if group:
            findings.append(_finding(context, reach, group, [item.path for item in first], wanted))
    return Checked(tuple(findings))


def _trained_layers(context: LintContext) -> Iterator[str]:
    held = None
    if context.optimizer is not None:
        groups = context.optimizer.param_groups
        held = {id(tensor) for group in groups for tensor in group["params"]}
    for path, module in context.modules.items():
        weight = getattr(module, "weight", None)
        if (
            isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
            and isinstance(weight, nn.Parameter)
            and weight.requires_grad
            and (held is None or id(weight) in held)
        ):
            yield path


def measure_reach(context: LintContext, *, seed: int) -> list[_Layer]:
    """Returns for each convolution and linear layer, as registered, whether a gradient reaches it.

    Raises:
        CannotTellError: The model cannot be copied, or fails in training mode.
    """
    (model,) = copied(context.model)
    images = images_of(context, at_most=MAX_IMAGES)
    called: set[str] = set()
    layers = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
        and isinstance(getattr(module, "weight", None), nn.Parameter)
        and module.weight.requires_grad
    ]
    for path, module in layers:
        module.register_forward_pre_hook(_noting(called, path))
    with borrowed(model), torch.enable_grad():
        random.seed(seed)
        torch.manual_seed(seed)
        set_training_modes(model, num_images=len(images))
        _disturb(model)
        result = call(model, images)
        gradients = _gradients(result, [module.weight for _, module in layers])
    found = []
    for (path, module), gradient in zip(layers, gradients, strict=True):
        reach: Reach = "reached"
        if gradient is None:
            reach = "cut" if path in called else "not called"
        elif not bool(gradient.any()):
            reach = "zero"
        found.append(_Layer(path, reach, module.weight))
    return found


def _noting(called: set[str], path: str) -> Any:
    def note(_module: nn.Module, _arguments: Any) -> None:
        called.add(path)

    return note


def _disturb(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                size = float(parameter.float().square().mean().sqrt())
                noise = _NOISE * size if size > 0 else _NOISE_ON_ZERO
                parameter.add_(noise * torch.randn_like(parameter))


def _gradients(result: Any, weights: list[Tensor]) -> tuple[Tensor | None, ...]:
    outputs = [
        tensor
        for _, tensor in tensors_with_paths(result)
        if tensor.is_floating_point() and tensor.requires_grad
    ]
    if not outputs:
        return (None,) * len(weights)
    # Weighted by chance, since softmax adds to one whatever the weights are.
    total = torch.stack([(tensor * torch.randn_like(tensor)).sum() for tensor in outputs]).sum()
    try:
        return torch.autograd.grad(total, weights, allow_unused=True)
    except RuntimeError as error:
        raise CannotTellError(f"the backward pass fails: {first_line(error)}") from error


def _finding(
    context: LintContext, reach: str, lost: list[str], layers: list[str], wanted: set[str]
) -> Finding:
    share = f"{len(lost)} of {len(wanted)} trainable layers"
    named = ", ".join(repr(path) for path in lost[:3]) + (", …" if len(lost) > 3 else "")
    severity: Severity = "error" if context.optimizer is not None else "warning"
    if reach == "not called":
        if context.optimizer is None:
            severity = "info"
        elif len(lost) < len(wanted):
            severity = "warning"
        return Finding(
            "B307",
            severity,
            lost[0],
            f"{share} are never called in the forward pass: {named}. They stay as they are.",
            "Call them in forward, or remove them from the model.",
            data={"num_layers": len(lost), "reach": reach},
        )
    if context.optimizer is None and not context.model.training:
        severity = "info"
    if reach == "zero":
        return Finding(
            "B307",
            severity,
            lost[0],
            f"{share} get a gradient of exactly zero: {named}. Between them and the output stands "
            "a step (round, sign, floor), or units that are never on.",
            "Use a smooth function in training; look at dead units (B303).",
            data={"num_layers": len(lost), "reach": reach},
        )
    if len(lost) == len(wanted):
        where = "The output carries no gradient at all"
    else:
        after = [path for path in layers[layers.index(lost[-1]) :] if path not in lost]
        where = f"The way back ends before {after[0]!r}" if after else "The way back is cut"
    return Finding(
        "B307",
        severity,
        lost[-1],
        f"{share} run but get no gradient: {named}. {where}: detach(), .data, torch.no_grad(), "
        "argmax or a trip through NumPy.",
        "Take the cut away. If these layers are not to be trained, freeze them with "
        "requires_grad_(False) and leave them out of the optimizer.",
        data={"num_layers": len(lost), "reach": reach},
    )
