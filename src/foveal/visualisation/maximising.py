"""Making the pictures: from a model and what is sought in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from foveal.visualisation.ascent import climb
from foveal.visualisation.maximised import Maximised
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.prepared import prepared
from foveal.visualisation.settings import Ascent

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps of all batches together."""


def maximise(
    model: torch.nn.Module,
    objective: Objective,
    *,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
    progress: Progress | None = None,
) -> Maximised:
    """Returns a picture that excites one channel, direction or class of a network.

    Gradient ascent on the picture (Erhan et al. 2009, "Visualizing Higher-Layer Features of
    a Deep Network"), in waves of natural amplitude and colour and under small movements
    (Olah et al. 2017, "Feature Visualization"). The network runs in evaluation mode, as far
    as the tensor that is sought and no farther, and is left exactly as it was found.

    Args:
        model: Any network of one input [N, C, H, W], on any device and of any precision.
        objective: A :class:`Channel`, :class:`Direction` or :class:`ClassLogit`.
        ascent: Size, steps and the rest; the defaults if None.
        scale: From 0..1 to the network's numbers; what the model itself names if None.
        progress: Called after every step with the steps done and their total.

    Raises:
        UsageError: There is no such layer, channel or class.
        ModelError: The model has no weights, or the objective is not finite at some step.
        TraceError: The network refuses pictures of that size.
    """
    return maximise_each(model, (objective,), ascent=ascent, scale=scale, progress=progress)[0]


def maximise_each(
    model: torch.nn.Module,
    objectives: Sequence[Objective],
    *,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> tuple[Maximised, ...]:
    """As :func:`maximise` for many objectives, in their order.

    Those about one tensor climb together, ``batch_size`` at a time, which costs far less
    than one after the other. A picture is the same as alone but for rounding.
    """
    settings = ascent or Ascent()
    with prepared(model, settings, scale) as workshop:
        batches = workshop.batches(objectives, batch_size=batch_size)
        num_steps = settings.num_steps * len(batches)
        made: dict[int, Maximised] = {}
        for number, batch in enumerate(batches):

            def step_done(step: int, before: int = number * settings.num_steps) -> None:
                if progress is not None:
                    progress(before + step, num_steps)

            wanted = tuple(objectives[index] for index in batch.indices)
            pictures = climb(workshop.slope(batch.target), wanted, settings, step_done=step_done)
            made.update(zip(batch.indices, pictures, strict=True))
    return tuple(made[index] for index in range(len(objectives)))
