"""Making the pictures: from a model and what is sought in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from foveal.errors import ModelError, UsageError
from foveal.explain.maximisation.climbing import Slope, climb
from foveal.explain.maximisation.maximised import Maximised
from foveal.explain.maximisation.objectives import Objective
from foveal.explain.maximisation.pixels import PixelScale, scale_of
from foveal.explain.maximisation.prefixes import Prefixes
from foveal.explain.maximisation.settings import Ascent
from foveal.explain.maximisation.targets import Target, find_target
from foveal.graph import Graph, trace
from foveal.graph.borrowing import borrowed

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
        TraceError: The network cannot be followed, or refuses pictures of that size.
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Objectives that climb together: about one tensor.

    Attributes:
        target: The tensor.
        indices: Which of the objectives.
    """

    target: Target
    indices: tuple[int, ...]


class Workshop:
    """A model made ready: in evaluation mode, with its graph for pictures of one size."""

    def __init__(self, model: torch.nn.Module, graph: Graph, scale: PixelScale) -> None:
        self.graph = graph
        self._scale = scale
        self._prefixes = Prefixes(model, graph)
        self._slopes: dict[tuple[int, int], Slope] = {}
        self._device = _anchor(model).device
        self._dtype: torch.dtype = getattr(torch, graph.inputs[0].dtype)

    def target(self, objective: Objective) -> Target:
        """Returns the tensor that an objective is about."""
        return find_target(self.graph, objective)

    def slope(self, target: Target) -> Slope:
        """Returns the network up to this tensor."""
        key = (target.op_index, target.output)
        if key not in self._slopes:
            self._slopes[key] = Slope(
                self._prefixes.up_to(target),
                target,
                self.graph.inputs[0].shape[1],
                self._scale,
                self._device,
                self._dtype,
            )
        return self._slopes[key]

    def batches(self, objectives: Sequence[Objective], *, batch_size: int) -> tuple[Batch, ...]:
        """Divides objectives by tensor and number."""
        if not objectives:
            raise UsageError(
                "No objective came.", next_step="Name at least one channel, direction or class."
            )
        by_target: dict[Target, list[int]] = {}
        for index, objective in enumerate(objectives):
            by_target.setdefault(find_target(self.graph, objective), []).append(index)
        return tuple(
            Batch(target, tuple(indices[start : start + batch_size]))
            for target, indices in by_target.items()
            for start in range(0, len(indices), batch_size)
        )


@contextmanager
def prepared(
    model: torch.nn.Module, ascent: Ascent, scale: PixelScale | None
) -> Iterator[Workshop]:
    """Lends the model for pictures of the size that ``ascent`` names."""
    if any(tensor.device.type == "meta" for tensor in (*model.parameters(), *model.buffers())):
        raise ModelError(
            f"{type(model).__name__} was built without weights, and what excites it follows "
            "from them.",
            next_step="Build the model on a real device.",
        )
    chosen = scale or scale_of(model)
    channels = _num_channels(model, chosen)
    # Tensors made in inference mode can neither be traced nor carry gradients.
    with torch.inference_mode(False), borrowed(model):
        for module in model.modules():
            module.training = False
        shape = (channels, ascent.height_px, ascent.width_px)
        graph = trace(model, shape)
        yield Workshop(model, graph, chosen)


def _num_channels(model: torch.nn.Module, scale: PixelScale) -> int:
    """Returns C of the pictures: what the first convolution reads."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            channels = module.in_channels
            break
    else:
        channels = max(3, len(scale.mean))
    if len(scale.mean) not in (1, channels):
        raise UsageError(
            f"mean and std of {len(scale.mean)} channels came for a network whose pictures have "
            f"{channels}.",
            next_step="Give PixelScale one number for each channel, or one for all.",
        )
    return channels


def _anchor(model: torch.nn.Module) -> torch.Tensor:
    tensors = (*model.parameters(), *model.buffers())
    return tensors[0] if tensors else torch.zeros(())
