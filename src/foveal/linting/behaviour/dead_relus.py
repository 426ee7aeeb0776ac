"""B303: ReLUs whose channels are never positive."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from foveal.draw.numbers import percent
from foveal.graph.borrowing import fully_borrowed
from foveal.linting.behaviour.passes import (
    call,
    images_of,
    reason_not_to_run,
    set_usual_modes,
)
from foveal.linting.behaviour.watching import Call, channels_last, is_relu, watching
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.linting.rule import Rule
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
    place: str
    num_channels: int
    num_dead: int
    num_values: int


def check(context: LintContext) -> Outcome:
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
            layers.append(_Layer(call.place, values.shape[1], dead, values.shape[0]))

    with fully_borrowed(context.model) as model, torch.no_grad():
        set_usual_modes(model)
        with watching(model, see):
            call(model, images)
    if not layers:
        return NotApplicable("the model calls no ReLU")
    seen = [layer for layer in layers if layer.num_values >= MIN_VALUES]
    return Checked(
        tuple(
            _finding(layer, layers, len(images))
            for layer in seen
            if layer.num_dead >= DEAD_SHARE * layer.num_channels and layer.num_channels > 1
        )
    )


def _finding(layer: _Layer, layers: list[_Layer], num_images: int) -> Finding:
    total = sum(other.num_channels for other in layers)
    dead = sum(other.num_dead for other in layers)
    severity: Severity = "error" if layer.num_dead == layer.num_channels else "warning"
    what = "all" if severity == "error" else f"{layer.num_dead} of"
    return Finding(
        code="B303",
        severity=severity,
        place=layer.place,
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


RULE = Rule("B303", "dead ReLUs", "error", check)
