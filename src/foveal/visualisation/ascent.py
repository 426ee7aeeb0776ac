"""Gradient ascent on a batch of pictures for one tensor of a network, and what it gives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.errors import ModelError
from foveal.layers import UpTo
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import ImageParameters, PixelScale
from foveal.visualisation.settings import Ascent
from foveal.visualisation.targets import Target, channel_means, read_values


@dataclass(frozen=True, slots=True)
class Maximised:
    """A picture that excites one channel, direction or class.

    Attributes:
        objective: What was sought. Its value is a logit, the value in the centre, or over all
            positions the mean with what is negative counted at a tenth.
        image: Float32 [C, H, W] in 0..1, to be looked at as it is.
        activations: The objective before each step, float32 [num_steps]; of the moved
            picture, hence uneven. Its sign is turned where the least was sought.
        first: The objective of the first picture, not moved.
        last: The objective of ``image``, not moved.
        target: Name of the operation whose result was read.
        target_reason: Why that one, as one sentence.
        reason: Why the picture shows nothing; None where it does.
        scale: How its values were given to the network.
        ascent: How it was sought.
        seconds: What it took; of a batch, its share.
    """

    objective: Objective
    image: NDArray[np.float32] = field(repr=False)
    activations: NDArray[np.float32] = field(repr=False)
    first: float
    last: float
    target: str
    target_reason: str
    reason: str | None
    scale: PixelScale
    ascent: Ascent
    seconds: float

    @property
    def is_blank(self) -> bool:
        """Whether no gradient ever reached the picture."""
        return self.reason is not None


StepDone = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TensorReader:
    """Reads the tensor of a target out of a network.

    Attributes:
        up_to: From images to the target's tensor.
        target: Which tensor that is.
        num_channels: Of the pictures.
        scale: From 0..1 to what the network expects.
        device: Where the network is.
        dtype: Of the network's input.
    """

    up_to: UpTo
    target: Target
    num_channels: int
    scale: PixelScale
    device: torch.device
    dtype: torch.dtype

    def values(self, pictures: Tensor, objectives: tuple[Objective, ...]) -> Tensor:
        """Returns the objectives [N] in ``pictures`` [N, C, H, W] in 0..1."""
        return read_values(self._result(pictures), self.target, objectives)

    def all_values(self, pictures: Tensor) -> Tensor:
        """Returns every channel's mean over all positions, float32 [N, K]."""
        return channel_means(self._result(pictures), self.target)

    def _result(self, pictures: Tensor) -> Tensor:
        result: Tensor = self.up_to(self.scale.apply(pictures).to(self.dtype))
        return result


def ascend(
    reader: TensorReader,
    objectives: tuple[Objective, ...],
    ascent: Ascent,
    *,
    num_steps: int | None = None,
    step_done: StepDone | None = None,
) -> tuple[Maximised, ...]:
    """Returns one picture for each objective, all of them about the reader's target.

    Args:
        reader: The network up to the tensor.
        objectives: N of them; they share steps and movements, nothing else.
        ascent: The settings.
        num_steps: Fewer steps than the settings say, to measure what one costs.
        step_done: Called after each step with the number of steps done.

    Raises:
        ModelError: An objective is not a finite number; names the step.
    """
    began = time.perf_counter()
    steps = ascent.num_steps if num_steps is None else num_steps
    # Not the global generator, whose state belongs to the caller.
    random = torch.Generator().manual_seed(ascent.seed)
    parameters = ImageParameters(len(objectives), reader.num_channels, ascent, random).to(
        reader.device
    )
    # Also where the caller has switched gradients off.
    with torch.enable_grad():
        free = parameters.free.clone().requires_grad_(True)
        parameters.free = free
        optimiser = torch.optim.Adam([free], lr=ascent.step_size)
        moved_by_gradient = torch.zeros(len(objectives), dtype=torch.bool, device=reader.device)
        rows = []
        with torch.no_grad():
            first = reader.values(parameters.pictures(), objectives)
        for step in range(steps):
            seen = ascent.robustness.move(parameters.pictures(), random)
            values = reader.values(seen, objectives)
            _require_finite(values, objectives, step)
            free.grad = _gradient(values, free)
            moved_by_gradient |= free.grad.flatten(1).abs().amax(1) > 0
            rows.append(values.detach())
            optimiser.step()
            if step_done is not None:
                step_done(step + 1)
        with torch.no_grad():
            images = parameters.pictures()
            last = reader.values(images, objectives)
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
            target=reader.target.name,
            target_reason=reader.target.reason,
            reason=None
            if moved_by_gradient[index]
            else f"no gradient reaches the picture from {reader.target.name!r}",
            scale=reader.scale,
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
