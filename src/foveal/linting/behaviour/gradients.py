"""B304: gradients that vanish or explode on their way to the first layers."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from foveal.errors import FovealError
from foveal.inspection.gradient_flow import LayerGradient, gradient_flow, log_slope, usual_loss
from foveal.layers import fully_borrowed
from foveal.linting.behaviour.passes import (
    answers,
    call,
    first_line,
    images_of,
    reason_not_to_run,
    set_usual_modes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
)

MIN_LAYERS = 4
MAX_GRADIENT_IMAGES = 16
# Ratios of first to last third beyond which one learning rate cannot serve both.
VANISHING, EXPLODING = 1e-3, 1e4
HOPELESS = 1e-7
# Weights that would move by ten times their size in a step of rate 0.001. The healthy
# networks of docs/lint-recall.md stay below 30.
OVERWHELMING = 1e4
# The largest first factor of LayerScale in use.
LAYER_SCALE = 0.1


def unstable_gradients(context: LintContext) -> Outcome:
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


def measure_gradients(context: LintContext) -> tuple[LayerGradient, ...]:
    """Returns one value for each convolution and linear layer, in the order they run.

    The loss is the given one on the given labels; without labels the usual one.
    """
    images = images_of(context, at_most=MAX_GRADIENT_IMAGES)
    labels = None if context.labels is None else context.labels[: len(images)].to(images.device)
    loss_function = context.loss if labels is not None and callable(context.loss) else None

    def loss(output: Any) -> Tensor:
        outputs = answers(output, len(images))
        if loss_function is None:
            return usual_loss(outputs, labels)
        value: Tensor = loss_function(outputs, labels)
        return value.mean()

    with fully_borrowed(context.model) as model:
        set_usual_modes(model)
        call(model, images)
        _open_layer_scales(model)
        try:
            return gradient_flow(model, images, loss=loss, at=(), mode="as found").weights
        except (FovealError, CannotTellError) as error:
            raise CannotTellError(str(error)) from error
        except Exception as error:
            raise CannotTellError(
                f"the loss raises {type(error).__name__} on this batch: {first_line(error)}"
            ) from error


def _open_layer_scales(model: nn.Module) -> None:
    """Sets the factors of LayerScale to 1, on a model that is borrowed fully.

    Touvron et al. 2021 ("Going deeper with Image Transformers") begin branches at 1e-5 or less:
    that they pull at nothing yet is by design.
    """
    with torch.no_grad():
        for module in model.modules():
            for parameter in module.parameters(recurse=False):
                is_vector = parameter.numel() > 1 and parameter.numel() == max(parameter.shape)
                if not is_vector or not parameter.is_floating_point():
                    continue
                first = parameter.detach().flatten()[0]
                if 0 < float(first.abs()) <= LAYER_SCALE and bool((parameter == first).all()):
                    parameter.fill_(1.0)


def _finding(
    first: LayerGradient,
    last: LayerGradient,
    ratio: float,
    gradients: tuple[LayerGradient, ...],
) -> Finding:
    vanishes = ratio < 1
    factor = math.exp(-log_slope([g.relative_norm for g in gradients]))
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
        location=first.name,
        evidence=(
            f"Gradients {word}: relative to the weights, {first.relative_norm:.1e} at "
            f"{first.name!r} and {last.relative_norm:.1e} at {last.name!r}, a ratio of "
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
        location=first.name,
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
        location=layer.name,
        evidence=(
            f"The gradient is infinite or not a number at {num_broken} of {num_layers} layers, "
            f"on the way back from {layer.name!r}."
        ),
        fix="Find what divides by zero or overflows there; normalise or scale down the weights.",
        data={"num_broken": num_broken, "num_layers": num_layers},
    )
