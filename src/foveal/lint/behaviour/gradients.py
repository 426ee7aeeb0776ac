"""B304: gradients that vanish or explode on their way to the first layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from foveal.graph.borrowing import fully_borrowed
from foveal.lint.behaviour.passes import (
    answers,
    images_of,
    reason_not_to_run,
    set_usual_modes,
)
from foveal.lint.context import LintContext
from foveal.lint.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.lint.rule import Rule

MIN_LAYERS = 4
MAX_GRADIENT_IMAGES = 16
# Ratios of first to last third beyond which one learning rate cannot serve both.
VANISHING, EXPLODING = 1e-3, 1e4
HOPELESS = 1e-7
# Weights that would move by ten times their size in a step of rate 0.001. The healthy
# networks of docs/lint-recall.md stay below 30.
OVERWHELMING = 1e4


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """How strongly the loss pulls at one layer: gradient norm over weight norm."""

    place: str
    relative_norm: float


def check(context: LintContext) -> Outcome:
    """Compares gradients, relative to the weights, of the first and last third of layers."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    gradients = measure_gradients(context)
    if len(gradients) < MIN_LAYERS:
        return NotApplicable(
            f"{len(gradients)} layers with weights; a trend needs at least {MIN_LAYERS}"
        )
    broken = [g for g in gradients if not math.isfinite(g.relative_norm)]
    if broken:
        return Checked((_non_finite(broken[-1], len(broken), len(gradients)),))
    third = max(1, len(gradients) // 3)
    # The strongest of each third: branches that begin at zero (a last batch norm with scale
    # zero, LayerScale) pull at nothing yet, by design, while the shortcut carries gradient.
    first = max(gradients[:third], key=lambda g: g.relative_norm)
    last = max(gradients[-third:], key=lambda g: g.relative_norm)
    if last.relative_norm == 0:
        return Undetermined("no gradient reaches the last layers either: they begin at zero")
    ratio = first.relative_norm / last.relative_norm
    # Where gain builds up from layer to layer without a norm, activations grow on the way
    # there and gradients on the way back: the product is the same everywhere, and huge.
    typical = median(g.relative_norm for g in gradients)
    if typical > OVERWHELMING:
        return Checked((_overwhelming(typical, first, len(gradients)),))
    if VANISHING <= ratio <= EXPLODING:
        return Checked()
    return Checked((_finding(first, last, ratio, gradients),))


def measure_gradients(context: LintContext) -> list[LayerGradient]:
    """Returns one figure for each convolution and linear layer, in the order they run.

    The loss is the given one on the given labels; without labels cross-entropy with classes
    dealt out in turn, so that a well-trained network pulls too.
    """
    images = images_of(context, at_most=MAX_GRADIENT_IMAGES)
    labels = None if context.labels is None else context.labels[: len(images)].to(images.device)
    loss_function = context.loss if labels is not None and callable(context.loss) else None
    order: dict[str, Tensor] = {}
    with fully_borrowed(context.model) as model, torch.enable_grad():
        set_usual_modes(model)
        handles = [
            module.register_forward_pre_hook(_noting(order, path))
            for path, module in model.named_modules()
            if isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
        ]
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
        try:
            outputs = answers(model(images), len(images))
        finally:
            for handle in handles:
                handle.remove()
        loss = _loss(outputs, labels, loss_function)
        weights = list(order.values())
        if not weights:
            return []
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        LayerGradient(path, _relative_norm(weight, gradient))
        for (path, weight), gradient in zip(order.items(), gradients, strict=True)
        if gradient is not None
    ]


def _noting(order: dict[str, Tensor], path: str) -> Callable[[nn.Module, Any], None]:
    def note(module: nn.Module, _arguments: Any) -> None:
        weight = module.weight
        if isinstance(weight, nn.Parameter):
            order.setdefault(path, weight)

    return note


def _loss(outputs: Tensor, labels: Tensor | None, loss_function: Any) -> Tensor:
    if loss_function is not None:
        value: Tensor = loss_function(outputs, labels)
        return value.mean()
    outputs = outputs.float()
    num_classes = outputs.shape[1] if outputs.dim() > 1 else 1
    if outputs.dim() == 2 and num_classes > 1:
        if labels is None or labels.dim() != 1 or labels.is_floating_point():
            labels = torch.arange(len(outputs), device=outputs.device) % num_classes
        return F.cross_entropy(outputs, labels)
    return F.softplus(outputs).mean()


def _relative_norm(weight: Tensor, gradient: Tensor) -> float:
    size = float(weight.detach().double().norm())
    pull = float(gradient.detach().double().norm())
    return pull / size if size > 0 else 0.0


def trend(gradients: list[LayerGradient]) -> float:
    """Returns the factor by which gradients change from one layer to the one before.

    The least-squares line through the logarithms; layers without gradient are left out.
    """
    points = [
        (float(index), math.log(g.relative_norm))
        for index, g in enumerate(gradients)
        if g.relative_norm > 0
    ]
    if len(points) < 2:
        return 1.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum(
        (x - mean_x) ** 2 for x, _ in points
    )
    return math.exp(-slope)


def _finding(
    first: LayerGradient, last: LayerGradient, ratio: float, gradients: list[LayerGradient]
) -> Finding:
    vanishes = ratio < 1
    factor = trend(gradients)
    severity: Severity = "warning"
    if ratio < HOPELESS or ratio > 1 / HOPELESS:
        severity = "error"
    if vanishes:
        word, fix = "vanish", "Add shortcuts or batch norm, or initialise with kaiming_normal_."
    else:
        word = "explode"
        fix = "Normalise between the layers, or scale the initial weights down (kaiming_normal_)."
    return Finding(
        code="B304",
        severity=severity,
        place=first.place,
        evidence=(
            f"Gradients {word}: relative to the weights, {first.relative_norm:.1e} at "
            f"{first.place!r} and {last.relative_norm:.1e} at {last.place!r}, a ratio of "
            f"{ratio:.1e}; over {len(gradients)} layers, a factor of {factor:.2f} for each "
            "layer on the way back."
        ),
        fix=fix,
        data={"ratio": ratio, "factor_per_layer": factor, "num_layers": len(gradients)},
    )


def _overwhelming(typical: float, first: LayerGradient, num_layers: int) -> Finding:
    return Finding(
        code="B304",
        severity="error",
        place=first.place,
        evidence=(
            f"Gradients explode: in half of {num_layers} layers they are more than "
            f"{typical:.1e} times as large as the weights."
        ),
        fix="Normalise between the layers, or scale the initial weights down (kaiming_normal_).",
        data={"typical_relative_norm": typical, "num_layers": num_layers},
    )


def _non_finite(layer: LayerGradient, num_broken: int, num_layers: int) -> Finding:
    return Finding(
        code="B304",
        severity="error",
        place=layer.place,
        evidence=(
            f"The gradient is infinite or not a number at {num_broken} of {num_layers} layers, "
            f"on the way back from {layer.place!r}."
        ),
        fix="Find what divides by zero or overflows there; normalise or scale down the weights.",
        data={"num_broken": num_broken, "num_layers": num_layers},
    )


RULE = Rule("B304", "vanishing or exploding gradients", "error", check, topics=(6, 24))
