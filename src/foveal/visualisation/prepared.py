"""A model made ready for ascent: borrowed, in evaluation mode, with ways to its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from foveal.errors import ModelError, UsageError
from foveal.graph import Graph, trace
from foveal.graph.borrowing import fully_borrowed
from foveal.visualisation.ascent import Slope
from foveal.visualisation.module_outputs import ModuleSites
from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale, scale_of
from foveal.visualisation.prefixes import Prefixes
from foveal.visualisation.settings import Ascent
from foveal.visualisation.targets import Target


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
        # Where the graph is not whole, modules are still there to be asked.
        self._sites: Prefixes | ModuleSites
        if graph.status == "complete":
            self._sites = Prefixes(model, graph)
        else:
            self._sites = ModuleSites(model, graph)
        self._slopes: dict[Target, Slope] = {}
        self._device = _anchor(model).device
        self._dtype: torch.dtype = getattr(torch, graph.inputs[0].dtype)

    def target(self, objective: Objective) -> Target:
        """Returns the tensor that an objective is about."""
        return self._sites.find(objective)

    def slope(self, target: Target) -> Slope:
        """Returns the network up to this tensor."""
        if target not in self._slopes:
            self._slopes[target] = Slope(
                self._sites.up_to(target),
                target,
                self.graph.inputs[0].shape[1],
                self._scale,
                self._device,
                self._dtype,
            )
        return self._slopes[target]

    def batches(self, objectives: Sequence[Objective], *, batch_size: int) -> tuple[Batch, ...]:
        """Divides objectives by tensor and number."""
        if not objectives:
            raise UsageError(
                "No objective came.", next_step="Name at least one channel, direction or class."
            )
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
    with torch.inference_mode(False), fully_borrowed(model):
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
