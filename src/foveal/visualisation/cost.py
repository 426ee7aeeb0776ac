"""What maximisation will take, measured on a few steps before it begins."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from foveal.visualisation.ascent import climb
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.prepared import prepared
from foveal.visualisation.settings import Ascent

# One to warm up, two to be timed.
_NUM_TRIAL_STEPS = 3


def estimate_seconds(
    model: torch.nn.Module,
    objectives: Sequence[Objective],
    *,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
    batch_size: int = 16,
) -> float:
    """Returns about how long :func:`maximise_each` will take with the same arguments.

    Two steps of each kind of batch are timed on this machine, so it takes a few hundredths
    of what it tells; how busy the machine is now is part of the answer.

    Raises:
        The errors of :func:`maximise_each`.
    """
    settings = ascent or Ascent()
    seconds = 0.0
    began = time.perf_counter()
    with prepared(model, settings, scale) as workshop:
        measured: dict[tuple[str, int], float] = {}
        for batch in workshop.batches(objectives, batch_size=batch_size):
            kind = (batch.target.name, len(batch.indices))
            if kind not in measured:
                wanted = tuple(objectives[index] for index in batch.indices)
                slope = workshop.slope(batch.target)
                # What comes before the first step comes again.
                seconds += time.perf_counter() - began
                ticks: list[float] = []

                def tick(_step: int, ticks: list[float] = ticks) -> None:
                    ticks.append(time.perf_counter())

                climb(slope, wanted, settings, num_steps=_NUM_TRIAL_STEPS, step_done=tick)
                measured[kind] = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
                began = time.perf_counter()
            seconds += measured[kind] * settings.num_steps
    return seconds
