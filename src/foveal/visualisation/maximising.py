"""Makes pictures that excite what is sought in a model, and says beforehand how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from foveal.errors import TraceError, UsageError
from foveal.graph import Graph, trace
from foveal.layers import UpTo, predicting
from foveal.visualisation.ascent import Maximised, TensorReader, ascend
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale, scale_of
from foveal.visualisation.settings import Ascent
from foveal.visualisation.targets import Target, find_target

_MOST_CHOICES = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Objectives about one tensor, whose pictures are sought together.

    Attributes:
        target: The tensor.
        indices: Which of the objectives.
    """

    target: Target
    indices: tuple[int, ...]


class PreparedNetwork:
    """A model made ready: in evaluation mode, with its graph for pictures of one size."""

    def __init__(self, model: torch.nn.Module, graph: Graph, scale: PixelScale) -> None:
        self.graph = graph
        self._model = model
        self._scale = scale
        self._readers: dict[Target, TensorReader] = {}
        self._device = _anchor(model).device
        self._dtype: torch.dtype = getattr(torch, graph.inputs[0].dtype)

    def target(self, objective: Objective) -> Target:
        """Returns the tensor that an objective is about."""
        return find_target(self.graph, objective, model=self._model)

    def reader(self, target: Target) -> TensorReader:
        """Returns the network up to this tensor."""
        if target not in self._readers:
            self._readers[target] = TensorReader(
                UpTo(self._model, target.site),
                target,
                self.graph.inputs[0].shape[1],
                self._scale,
                self._device,
                self._dtype,
            )
        return self._readers[target]

    def batches(self, objectives: Sequence[Objective], *, batch_size: int) -> tuple[Batch, ...]:
        """Divides objectives by tensor and number."""
        if not objectives:
            raise UsageError("got no objective, expected at least one channel, direction or class.")
        by_target: dict[Target, list[int]] = {}
        for index, objective in enumerate(objectives):
            by_target.setdefault(self.target(objective), []).append(index)
        return tuple(
            Batch(target, tuple(indices[start : start + batch_size]))
            for target, indices in by_target.items()
            for start in range(0, len(indices), batch_size)
        )


@contextmanager
def prepared(
    model: torch.nn.Module, ascent: Ascent, scale: PixelScale | None
) -> Iterator[PreparedNetwork]:
    """Lends the model for pictures of the size that ``ascent`` names."""
    chosen = scale or scale_of(model)
    with predicting(model, purpose="activation maximisation") as lent:
        graph = _traced(lent, ascent, chosen)
        channels = graph.inputs[0].shape[1]
        if len(chosen.mean) not in (1, channels):
            raise UsageError(
                f"got mean and std of {len(chosen.mean)} channels, expected {channels} as the "
                "network's images have.",
                next_step="Give PixelScale one number for each channel, or one for all.",
            )
        yield PreparedNetwork(lent, graph, chosen)


def _traced(model: torch.nn.Module, ascent: Ascent, scale: PixelScale) -> Graph:
    """Returns the graph for pictures of as many channels as a convolution reads.

    Which convolution runs first is not known before, and need not be the one registered first.
    """
    convolutions = (m for m in model.modules() if isinstance(m, torch.nn.Conv2d))
    choices = [*dict.fromkeys(one.in_channels for one in convolutions)] or [max(3, len(scale.mean))]
    first: TraceError | None = None
    for channels in choices[:_MOST_CHOICES]:
        try:
            return trace(model, (channels, ascent.height_px, ascent.width_px))
        except TraceError as error:
            first = first or error
    assert first is not None
    raise first


def _anchor(model: torch.nn.Module) -> torch.Tensor:
    tensors = (*model.parameters(), *model.buffers())
    return tensors[0] if tensors else torch.zeros(())


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

    Those about one tensor are sought together, ``batch_size`` at a time, which costs far less
    than one after the other. A picture is the same as alone but for rounding.
    """
    settings = ascent or Ascent()
    with prepared(model, settings, scale) as network:
        batches = network.batches(objectives, batch_size=batch_size)
        num_steps = settings.num_steps * len(batches)
        made: dict[int, Maximised] = {}
        for number, batch in enumerate(batches):

            def step_done(step: int, before: int = number * settings.num_steps) -> None:
                if progress is not None:
                    progress(before + step, num_steps)

            wanted = tuple(objectives[index] for index in batch.indices)
            pictures = ascend(network.reader(batch.target), wanted, settings, step_done=step_done)
            made.update(zip(batch.indices, pictures, strict=True))
    return tuple(made[index] for index in range(len(objectives)))


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
    with prepared(model, settings, scale) as network:
        measured: dict[tuple[str, int], float] = {}
        for batch in network.batches(objectives, batch_size=batch_size):
            kind = (batch.target.name, len(batch.indices))
            if kind not in measured:
                wanted = tuple(objectives[index] for index in batch.indices)
                reader = network.reader(batch.target)
                # What comes before the first step comes again.
                seconds += time.perf_counter() - began
                ticks: list[float] = []

                def tick(_step: int, ticks: list[float] = ticks) -> None:
                    ticks.append(time.perf_counter())

                ascend(reader, wanted, settings, num_steps=_NUM_TRIAL_STEPS, step_done=tick)
                measured[kind] = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
                began = time.perf_counter()
            seconds += measured[kind] * settings.num_steps
    return seconds
