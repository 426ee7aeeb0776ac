"""Gradient ascent on a batch of pictures for one tensor of a network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foveal.errors import ModelError
from foveal.visualisation.canvas import Canvas
from foveal.visualisation.maximised import Maximised
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.settings import Ascent
from foveal.visualisation.targets import Target, channel_means, read_values

StepDone = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Slope:
    """Where a batch climbs.

    Attributes:
        prefix: From pictures to the target's tensor, in evaluation mode.
        target: Which tensor that is.
        num_channels: Of the pictures.
        scale: From 0..1 to what the network expects.
        device: Where the network is.
        dtype: Of the network's input.
    """

    prefix: torch.nn.Module
    target: Target
    num_channels: int
    scale: PixelScale
    device: torch.device
    dtype: torch.dtype

    def values(self, pictures: Tensor, objectives: tuple[Objective, ...]) -> Tensor:
        """Returns the objectives [N] in ``pictures`` [N, C, H, W] in 0..1."""
        return read_values(self._result(pictures), self.target, objectives)

    def all_values(self, pictures: Tensor) -> Tensor:
        """Returns every channel's mean over all places, float32 [N, K]."""
        return channel_means(self._result(pictures), self.target)

    def _result(self, pictures: Tensor) -> Tensor:
        result: Tensor = self.prefix(self.scale.apply(pictures).to(self.dtype))
        return result


def climb(
    slope: Slope,
    objectives: tuple[Objective, ...],
    ascent: Ascent,
    *,
    num_steps: int | None = None,
    step_done: StepDone | None = None,
) -> tuple[Maximised, ...]:
    """Returns one picture for each objective, all of them about the slope's target.

    Args:
        slope: The network up to the tensor.
        objectives: N of them; they share steps and movements, nothing else.
        ascent: The settings.
        num_steps: Fewer steps than the settings say, to measure what one costs.
        step_done: Called after each step with the number of steps done.

    Raises:
        ModelError: An objective is not a finite number; names the step.
    """
    began = time.perf_counter()
    steps = ascent.num_steps if num_steps is None else num_steps
    # Not the global generator: whoever calls has an own use for that.
    random = torch.Generator().manual_seed(ascent.seed)
    canvas = Canvas(len(objectives), slope.num_channels, ascent, random).to(slope.device)
    # Also where the caller has switched gradients off.
    with torch.enable_grad():
        free = canvas.free.clone().requires_grad_(True)
        canvas.free = free
        optimiser = torch.optim.Adam([free], lr=ascent.step_size)
        moved_by_gradient = torch.zeros(len(objectives), dtype=torch.bool, device=slope.device)
        rows = []
        with torch.no_grad():
            first = slope.values(canvas.pictures(), objectives)
        for step in range(steps):
            seen = ascent.robustness.move(canvas.pictures(), random)
            values = slope.values(seen, objectives)
            _require_finite(values, objectives, step)
            free.grad = _gradient(values, free)
            moved_by_gradient |= free.grad.flatten(1).abs().amax(1) > 0
            rows.append(values.detach())
            optimiser.step()
            if step_done is not None:
                step_done(step + 1)
        with torch.no_grad():
            images = canvas.pictures()
            last = slope.values(images, objectives)
    _require_finite(last, objectives, steps)
    activations = torch.stack(rows, dim=1).cpu().numpy()
    seconds = (time.perf_counter() - began) / len(objectives)
    return tuple(
        Maximised(
            objective=objective,
            image=images[index].cpu().numpy(),
            activations=activations[index],
            first=float(first[index]),
            last=float(last[index]),
            target=slope.target.name,
            target_reason=slope.target.reason,
            reason=None
            if moved_by_gradient[index]
            else f"no gradient reaches the picture from {slope.target.name!r}",
            scale=slope.scale,
            ascent=ascent,
            seconds=seconds,
        )
        for index, objective in enumerate(objectives)
    )


def _gradient(values: Tensor, free: Tensor) -> Tensor:
    """Returns the gradient downhill, which is what an optimiser wants."""
    if not values.requires_grad:
        return torch.zeros_like(free)
    (gradient,) = torch.autograd.grad(-values.sum(), free, materialize_grads=True)
    return gradient


def _require_finite(values: Tensor, objectives: tuple[Objective, ...], step: int) -> None:
    numbers = values.detach().tolist()
    index = next((i for i, number in enumerate(numbers) if not math.isfinite(number)), None)
    if index is None:
        return
    raise ModelError(
        f"The {objectives[index].description} is {numbers[index]} at step {step}, expected "
        "a finite number.",
        next_step="Look for the layer where it begins: foveal lint MODEL.",
    )
