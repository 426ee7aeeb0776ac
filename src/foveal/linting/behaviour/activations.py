"""Activations that are never positive or not finite: B303, B305."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from foveal.draw.numbers import percent
from foveal.graph.nested_tensors import tensors_in, tensors_with_paths
from foveal.layers import fully_borrowed
from foveal.linting.behaviour.function_calls import Call, calls_shown_to, channels_last, is_relu
from foveal.linting.behaviour.passes import call, images_of, reason_not_to_run, set_usual_modes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.text import count_noun

MIN_IMAGES = 4
# A channel that was looked at a few times only may be silent by chance.
MIN_VALUES = 32
# At initialisation, half the channels of a deep layer may be negative on every image, since
# deep activations of different images are alike; narrow data silences some of a trained
# network's. Nearly all of them is neither.
DEAD_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class _Layer:
    location: str
    num_channels: int
    num_dead: int
    num_values: int


def dead_relus(context: LintContext) -> Outcome:
    """Runs the batch and counts the channels of each ReLU that are zero on all of it."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    images = images_of(context)
    if len(images) < MIN_IMAGES:
        return Undetermined(
            f"{count_noun(len(images), 'image')} in the batch; {MIN_IMAGES} or more are needed "
            "to call a channel dead"
        )
    layers: list[_Layer] = []

    def see(call: Call) -> None:
        if is_relu(call) and call.result.dim() >= 2:
            values = channels_last(call.result)
            dead = int((values.amax(0) <= 0).sum())
            layers.append(_Layer(call.location, values.shape[1], dead, values.shape[0]))

    with fully_borrowed(context.model) as model, torch.no_grad():
        set_usual_modes(model)
        with calls_shown_to(model, see):
            call(model, images)
    if not layers:
        return NotApplicable("the model calls no ReLU")
    seen = [layer for layer in layers if layer.num_values >= MIN_VALUES]
    return Checked(
        tuple(
            _dead_finding(layer, layers, len(images))
            for layer in seen
            if layer.num_dead >= DEAD_SHARE * layer.num_channels and layer.num_channels > 1
        )
    )


def _dead_finding(layer: _Layer, layers: list[_Layer], num_images: int) -> Finding:
    total = sum(other.num_channels for other in layers)
    dead = sum(other.num_dead for other in layers)
    severity: Severity = "error" if layer.num_dead == layer.num_channels else "warning"
    what = "all" if severity == "error" else f"{layer.num_dead} of"
    return Finding(
        code="B303",
        severity=severity,
        location=layer.location,
        evidence=(
            f"On {count_noun(num_images, 'image')}, {what} {layer.num_channels} channels are "
            f"never above zero ({layer.num_values:,} values each); in the whole network "
            f"{percent(dead / total)} of {total:,} channels."
        ),
        fix=(
            "Look at the biases and the learning rate that led here; start again from the last "
            "good weights with a smaller rate or a warm-up, or use LeakyReLU or SiLU."
        ),
        data={
            "num_dead": layer.num_dead,
            "num_channels": layer.num_channels,
            "network_share": dead / total,
        },
    )


# These write infinities on purpose, as in the mask of an attention.
_ON_PURPOSE = frozenset({"masked_fill", "full", "full_like", "fill", "new_full", "tensor", "where"})


def non_finite_output(context: LintContext) -> Outcome:
    """Runs the batch in the present mode; if the answer is not finite, looks for the layer."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    images = images_of(context)
    if not _is_finite(images):
        count = int((~torch.isfinite(images)).sum())
        return Checked(
            (
                Finding(
                    code="B305",
                    severity="error",
                    location="",
                    evidence=f"The batch itself holds {count:,} values that are not finite.",
                    fix="Mend how the images are read; look for divisions by a standard "
                    "deviation of zero.",
                    data={"num_values": count},
                ),
            )
        )
    first: list[Call] = []

    def see(call: Call) -> None:
        if not first and call.function not in _ON_PURPOSE and not _is_finite(call.result):
            first.append(call)

    with fully_borrowed(context.model) as model, torch.no_grad():
        random_state = torch.get_rng_state()
        outputs = [tensor for _, tensor in tensors_with_paths(call(model, images))]
        if all(_is_finite(tensor) for tensor in outputs):
            return Checked()
        torch.set_rng_state(random_state)
        with calls_shown_to(model, see):
            call(model, images)
    return Checked((_non_finite_finding(first[0] if first else None, outputs, context),))


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _non_finite_finding(call: Call | None, outputs: list[Tensor], context: LintContext) -> Finding:
    broken = sum(int((~torch.isfinite(t)).sum()) for t in outputs if t.is_floating_point())
    total = sum(t.numel() for t in outputs if t.is_floating_point())
    count_text = f"{broken:,} of {total:,} output values are not finite"
    if call is None:
        return Finding(
            code="B305",
            severity="error",
            location="",
            evidence=f"{count_text}; no PyTorch function that was called made the first of them.",
            fix="Check the model's own extensions for divisions by zero and overflow.",
        )
    bad = [
        name
        for name, parameter in context.model.named_parameters()
        if not _is_finite(parameter.detach())
        and any(parameter is tensor for tensor in tensors_in((call.arguments, call.options)))
    ]
    bad += [
        name
        for name, buffer in context.model.named_buffers()
        if not _is_finite(buffer)
        and any(buffer is tensor for tensor in tensors_in((call.arguments, call.options)))
    ]
    if bad:
        cause = f"; {bad[0]!r} itself is not finite"
        fix = "Go back to weights from before they broke, and lower the learning rate."
    elif call.result.dtype == torch.float16:
        cause = "; float16 ends at 65,504"
        fix = "Run this layer in float32 or bfloat16."
    else:
        cause = ""
        fix = "Look for a division by zero, a logarithm or root of a negative, or overflow there."
    return Finding(
        code="B305",
        severity="error",
        location=call.location,
        evidence=f"{count_text}; the first come from {call.location!r} ({call.function}){cause}.",
        fix=fix,
        data={"num_broken": broken, "num_values": total, "function": call.function},
    )
