"""Which tensor an objective is about, and how its value is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from foveal.errors import ModelError, UsageError
from foveal.graph import Graph, Op, Shape, Source
from foveal.inspection.stages import resolution_of
from foveal.text import count_noun, near_names
from foveal.visualisation.objectives import ClassLogit, Direction, Objective

Layout = Literal["map", "map, channels last", "vector"]

# In evaluation these hand on what they are given; below an activation it is looked for the
# operation that computes.
_PASSES = frozenset({"dropout", "copy"})


# How much a place counts where a map is negative, in the mean over places. A linear map's plain
# mean depends on the mean colour alone: every edge that excites a filter somewhere inhibits
# it elsewhere. What comes after an activation sees the positive side.
LEAK = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """One tensor inside a network.

    Attributes:
        op_index: The operation whose result it is; -1 where the graph does not have it.
        output: Which of its results.
        name: The operation's name.
        shape: With the batch first.
        layout: Where its channels are.
        reason: Why this one, as one sentence.
    """

    op_index: int
    output: int
    name: str
    shape: Shape
    layout: Layout
    reason: str

    @property
    def num_channels(self) -> int:
        """How many channels, features or classes it has."""
        return self.shape[-1 if self.layout == "map, channels last" else 1]


def find_target(graph: Graph, objective: Objective) -> Target:
    """Returns the tensor to read for an objective.

    The result of an activation is replaced by what goes into it: a ReLU that is shut hands
    back no gradient, and one unit of a saturated function hardly any (Olah 2017). A softmax
    is replaced by its logits: else a class could win by making the others smaller.

    Raises:
        UsageError: There is no such layer, channel or class, or the layer has no places.
        ModelError: The network's output does not depend on the picture.
    """
    if isinstance(objective, ClassLogit):
        target = _logits(graph)
        require_fit(target, objective)
        return target
    target = _layer(graph, objective.layer)
    require_fit(target, objective)
    return target


def require_fit(target: Target, objective: Objective) -> None:
    """Checks that this tensor has what is sought in it.

    Raises:
        UsageError: There is no such channel or class, or it has no places.
    """
    if isinstance(objective, ClassLogit):
        _require_index(target, objective.class_index, "class", "classes")
        return
    if target.layout == "vector" and objective.where == "centre":
        raise UsageError(
            f"{target.name!r} has no places, so it has no centre: its result is {target.shape}.",
            next_step='Use where="mean", which is then the value itself.',
        )
    if isinstance(objective, Direction):
        if len(objective.weights) != target.num_channels:
            raise UsageError(
                f"A direction of {count_noun(len(objective.weights), 'weight')} came for "
                f"{target.name!r}, which has {count_noun(target.num_channels, 'channel')}.",
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
    """Returns the mean of every channel over all places, float32 [N, K]."""
    values = _channels_first(result, target)
    return values.flatten(2).mean(2) if values.dim() > 2 else values


def _channels_first(result: Tensor, target: Target) -> Tensor:
    values = result.float()
    return values.movedim(-1, 1) if target.layout == "map, channels last" else values


def layout_of(shape: Shape, input_shape: Shape) -> Layout | None:
    """Returns where the channels of a tensor are; None where it is neither map nor vector.

    Nor is it where places have become part of the batch, as in some blocks of attention.
    """
    if shape[:1] != input_shape[:1]:
        return None
    if len(shape) == 2:
        return "vector"
    if len(shape) != 4:
        return None
    places = resolution_of(shape, input_shape)
    is_last = places is not None and places == shape[1:3] != shape[2:4]
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


def _layer(graph: Graph, name: str) -> Target:
    op = _find(graph, name)
    reason = "it is the layer named" if op.name == name else "it is the layer's last operation"
    source = Source("op", op.index)
    before = _walk_back(graph, op)
    if before is not None:
        activation, source = before
        reason = f"it goes into the activation {activation.name!r}"
    return _target(graph, source, reason)


def _walk_back(graph: Graph, op: Op) -> tuple[Op, Source] | None:
    """Returns the activation that ``op`` is or hands on, and what goes into it."""
    while op.kind in _PASSES and op.inputs and op.inputs[0].kind == "op":
        op = graph.ops[op.inputs[0].index]
    if op.kind == "activation" and op.inputs and op.inputs[0].kind == "op":
        return op, op.inputs[0]
    return None


def _find(graph: Graph, name: str) -> Op:
    exact = next((op for op in graph.ops if op.name == name), None)
    if exact is not None:
        return exact
    inside = [op for op in graph.ops if name and f"{op.module_path}.".startswith(f"{name}.")]
    if inside:
        return inside[-1]
    paths = {
        ".".join(parts[: length + 1])
        for parts in (op.module_path.split(".") for op in graph.ops)
        for length in range(len(parts))
    }
    near = near_names(name, [*(path for path in paths if path), *(op.name for op in graph.ops)])
    maps = [op.name for op in graph.ops if len(op.output_shape) == 4]
    raise UsageError(
        f"{graph.model_type} has neither operation nor module named {name!r}.",
        next_step=f"Did you mean {' or '.join(near)}?"
        if near
        else f"Its last layer with places is {maps[-1]}."
        if maps
        else None,
    )


def _target(graph: Graph, source: Source, reason: str) -> Target:
    op, shape = graph.ops[source.index], graph.shape_of(source)
    layout = layout_of(shape, graph.inputs[0].shape)
    if layout is None:
        maps = [item.name for item in graph.ops[: op.index] if len(item.output_shape) == 4]
        raise UsageError(
            f"{op.name!r} gives neither a map nor a vector: its result is {shape}.",
            next_step=f"The nearest map before it is {maps[-1]}." if maps else None,
        )
    return Target(op.index, source.output, op.name, shape, layout, reason)
