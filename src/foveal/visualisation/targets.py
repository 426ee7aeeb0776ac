"""Which tensor an objective is about, and how its value is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.modules import activation as activations

from foveal.errors import ModelError, UsageError
from foveal.graph import Graph, Op, Shape, Source
from foveal.inspection.stages import resolution_of
from foveal.layers import (
    ModuleSite,
    Site,
    find_op,
    find_site,
    grey_image,
    require_module,
    result_at,
)
from foveal.layers.maps import IDLE
from foveal.text import count_noun
from foveal.visualisation.objectives import ClassLogit, Direction, Objective

Layout = Literal["map", "map, channels last", "vector"]

# Modules with one tensor in and its function, element by element, out.
_ACTIVATIONS = tuple(
    getattr(activations, name) for name in activations.__all__ if name != "MultiheadAttention"
)

# How much a position counts where a map is negative, in the mean over positions. A linear map's
# plain mean depends on the mean colour alone: every edge that excites a filter somewhere inhibits
# it elsewhere. What comes after an activation sees the positive side.
LEAK = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """One tensor inside a network.

    Attributes:
        name: Of the operation whose result it is, or of the module where tracing ended early.
        site: Where it is in the running network.
        shape: With the batch first.
        layout: Where its channels are.
        reason: Why this one, as one sentence.
    """

    name: str
    site: Site
    shape: Shape
    layout: Layout
    reason: str

    @property
    def num_channels(self) -> int:
        """How many channels, features or classes it has."""
        return self.shape[-1 if self.layout == "map, channels last" else 1]


def find_target(
    graph: Graph, objective: Objective, *, model: torch.nn.Module | None = None
) -> Target:
    """Returns the tensor to read for an objective.

    The result of an activation is replaced by what goes into it: a ReLU that is shut hands
    back no gradient, and one unit of a saturated function hardly any (Olah 2017). A softmax
    is replaced by its logits: else a class could win by making the others smaller.

    Args:
        graph: Complete, or that of ``model``.
        objective: What is sought.
        model: The network; needed where its graph is not complete: then a layer is what a
            module returns, or what goes into it if it is an activation.

    Raises:
        UsageError: There is no such layer, channel or class, or the layer has no positions.
        ModelError: The network's output does not depend on the picture.
    """
    if model is not None and graph.status != "complete":
        target = _module_target(model, graph, objective)
    elif isinstance(objective, ClassLogit):
        target = _logits(graph)
    else:
        target = _layer(graph, objective.layer, model)
    _require_fit(target, objective)
    return target


def _module_target(model: torch.nn.Module, graph: Graph, objective: Objective) -> Target:
    path = "" if isinstance(objective, ClassLogit) else objective.layer
    if path or not isinstance(objective, ClassLogit):
        reason = f"of its operations none can be named: {graph.reason}"
        require_module(model, path, reason=reason)
    is_activation = isinstance(model.get_submodule(path), (*_ACTIVATIONS, torch.nn.Softmax))
    site = ModuleSite(path, 1, None, None, side="input" if is_activation else "result")
    if is_activation:
        reason = f"it goes into the activation {path!r}"
    elif path:
        reason = "it is the result of the module named"
    else:
        reason = "it is the network's output"
    with torch.no_grad():
        shape = tuple(result_at(model, site, grey_image(model, graph)).shape)
    layout = layout_of(shape, graph.inputs[0].shape)
    name = path or "output"
    if layout is None:
        raise UsageError(f"{name!r} gives neither a map nor a vector: its result is {shape}.")
    return Target(name, site, shape, layout, reason)


def _require_fit(target: Target, objective: Objective) -> None:
    """Checks that this tensor has what is sought in it.

    Raises:
        UsageError: There is no such channel or class, or it has no positions.
    """
    if isinstance(objective, ClassLogit):
        _require_index(target, objective.class_index, "class", "classes")
        return
    if target.layout == "vector" and objective.where == "centre":
        raise UsageError(
            f"{target.name!r} has no positions, so it has no centre: its result is {target.shape}.",
            next_step='Use where="mean", which is then the value itself.',
        )
    if isinstance(objective, Direction):
        if len(objective.weights) != target.num_channels:
            raise UsageError(
                f"got a direction of {count_noun(len(objective.weights), 'weight')}, expected "
                f"{target.num_channels}: one for each channel of {target.name!r}.",
                next_step="Give one weight for each channel.",
            )
    else:
        _require_index(target, objective.channel, "channel", "channels")


def read_values(result: Tensor, target: Target, objectives: tuple[Objective, ...]) -> Tensor:
    """Returns the value of objective n in picture n, float32 [N]; larger is what is sought."""
    found = []
    for row, objective in zip(_channels_first(result, target), objectives, strict=True):
        if isinstance(objective, Direction):
            weights = row.new_tensor(objective.weights)
            plane = torch.tensordot(weights / weights.norm(), row, dims=1)
        elif isinstance(objective, ClassLogit):
            plane = row[objective.class_index]
        else:
            plane = row[objective.channel]
        is_least = not isinstance(objective, Direction) and objective.sign == "least"
        plane = -plane if is_least else plane
        if isinstance(objective, ClassLogit) or not plane.shape:
            found.append(plane.mean())
        elif objective.where == "centre":
            found.append(plane[tuple(size // 2 for size in plane.shape)])
        else:
            found.append(torch.nn.functional.leaky_relu(plane, LEAK).mean())
    return torch.stack(found)


def channel_means(result: Tensor, target: Target) -> Tensor:
    """Returns the mean of every channel over all positions, float32 [N, K]."""
    values = _channels_first(result, target)
    return values.flatten(2).mean(2) if values.dim() > 2 else values


def _channels_first(result: Tensor, target: Target) -> Tensor:
    values = result.float()
    return values.movedim(-1, 1) if target.layout == "map, channels last" else values


def layout_of(shape: Shape, input_shape: Shape) -> Layout | None:
    """Returns where the channels of a tensor are; None where it is neither map nor vector.

    Nor is it where positions have become part of the batch, as in some blocks of attention.
    """
    if shape[:1] != input_shape[:1]:
        return None
    if len(shape) == 2:
        return "vector"
    if len(shape) != 4:
        return None
    positions = resolution_of(shape, input_shape)
    is_last = positions is not None and positions == shape[1:3] != shape[2:4]
    return "map, channels last" if is_last else "map"


def _require_index(target: Target, index: int, noun: str, plural: str) -> None:
    if not 0 <= index < target.num_channels:
        raise UsageError(
            f"{target.name!r} has {count_noun(target.num_channels, noun, plural)}; there is no "
            f"{noun} {index}.",
            next_step=f"Choose one from 0 to {target.num_channels - 1}.",
        )


def _logits(graph: Graph) -> Target:
    source = graph.outputs[0].source if graph.outputs else None
    if source is None or source.kind != "op":
        raise ModelError(
            f"The output of {graph.model_type} does not depend on the picture.",
            next_step="Give a model that computes something from its input.",
        )
    reason = "it is the network's output"
    op = graph.ops[source.index]
    if op.kind == "softmax" and op.inputs and op.inputs[0].kind == "op":
        source = op.inputs[0]
        reason = f"it is what the softmax {op.name!r} reads"
    return _target(graph, source, reason)


def _layer(graph: Graph, name: str, model: torch.nn.Module | None) -> Target:
    op = find_op(graph, name, model=model)
    reason = "it is the layer named" if op.name == name else "it is the layer's last operation"
    source = Source("op", op.index)
    before = _walk_back(graph, op)
    if before is not None:
        activation, source = before
        reason = f"it goes into the activation {activation.name!r}"
    return _target(graph, source, reason)


def _walk_back(graph: Graph, op: Op) -> tuple[Op, Source] | None:
    """Returns the activation that ``op`` is or hands on, and what goes into it."""
    while op.kind in IDLE and op.inputs and op.inputs[0].kind == "op":
        op = graph.ops[op.inputs[0].index]
    if op.kind == "activation" and op.inputs and op.inputs[0].kind == "op":
        return op, op.inputs[0]
    return None


def _target(graph: Graph, source: Source, reason: str) -> Target:
    op, shape = graph.ops[source.index], graph.shape_of(source)
    layout = layout_of(shape, graph.inputs[0].shape)
    if layout is None:
        maps = [item.name for item in graph.ops[: op.index] if len(item.output_shape) == 4]
        raise UsageError(
            f"{op.name!r} gives neither a map nor a vector: its result is {shape}.",
            next_step=f"The nearest map before it is {maps[-1]}." if maps else None,
        )
    return Target(op.name, find_site(graph, op, output=source.output), shape, layout, reason)
