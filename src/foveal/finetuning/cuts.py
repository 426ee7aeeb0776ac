"""Where a network can be divided into a frozen and a trained part, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from foveal.errors import TraceError, UsageError
from foveal.features.frozen_part import FrozenPart, frozen_part
from foveal.graph import CutPoint, Graph, cut, cut_points, trace
from foveal.models import Backbone
from foveal.models.backbone import install_head
from foveal.models.surgery.changed_copy import own_copy
from foveal.text import near_names

_FEWEST_STAGES = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A position to cut.

    Attributes:
        name: Of the last module of the frozen part; ``""`` where nothing is frozen.
        num_stages: How many stages are trained, counted from the end.
        shape: Of the tensor at the cut, without a batch: the image's where nothing is frozen.
        macs_before: Multiply-accumulates of the frozen part for one image.
        macs_after: Of the trained part.
        num_trained: Parameters of the trained part, the pretrained classifier's among them.
    """

    name: str
    num_stages: int
    shape: tuple[int, ...]
    macs_before: int
    macs_after: int
    num_trained: int

    @property
    def view_bytes(self) -> int:
        """Bytes of one view of one image in a bank."""
        size = 2
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True, slots=True)
class Division:
    """A network divided at a cut, with parameters of its own.

    Attributes:
        candidate: Where.
        part: The frozen part; ``None`` where nothing is frozen.
        suffix: What is trained: the tensor at the cut [N, ...] to logits [N, K].
        network: Both together, with the names of the original; shares their parameters.
        depths: By parameter of ``suffix``: how deep it lies, from 0 for the network's first
            layer to 1 for its classifier.
    """

    candidate: Candidate
    part: FrozenPart | None
    suffix: nn.Module
    network: nn.Module
    depths: dict[str, float]

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, which the suffix and the network share."""
        layer: nn.Linear = self.network.get_classifier()  # type: ignore[operator]
        return layer


def find_candidates(backbone: Backbone, size: tuple[int, int]) -> tuple[tuple[Candidate, ...], str]:
    """Returns where to cut, from the first to the last, and why there is nothing but the whole.

    A stage ends where the shape of the tensor changes next. The first candidate freezes
    nothing; of a network that cannot be followed or has no position where one tensor separates it,
    that is the only one and the reason is given; it is empty otherwise.
    """
    try:
        graph = trace(backbone.network, (3, *size), mode="eval")
        points = _stage_ends(graph)
    except TraceError as error:
        return (_whole(None, size, 1),), error.message
    whole = _whole(graph, size, len(points) + 1)
    if not points:
        return (whole,), f"no single tensor separates {backbone.name}"
    found = [
        Candidate(
            point.name,
            len(points) - index,
            tuple(point.shape[1:]),
            point.macs_before.value or 0,
            point.macs_after.value or 0,
            point.parameters_after,
        )
        for index, point in enumerate(points)
    ]
    return (whole, *found), ""


def choose_candidate(
    backbone: Backbone, candidates: tuple[Candidate, ...], unfreeze: str, size: tuple[int, int]
) -> Candidate:
    """Returns the candidate that ``unfreeze`` asks for.

    Args:
        backbone: The network.
        candidates: As :func:`find_candidates` gives them.
        unfreeze: ``"all"``, ``"2-stages"`` (the last two), or a layer, which is trained with
            all that follows it.
        size: Height and width of the input in pixels.

    Raises:
        UsageError: There is no such layer or not so many stages.
    """
    if unfreeze == "all":
        return candidates[0]
    number, _, word = unfreeze.partition("-")
    if number.isdecimal() and word in ("stage", "stages"):
        for candidate in candidates:
            if candidate.num_stages == int(number):
                return candidate
        raise UsageError(
            f"{backbone.name} cannot have its last {int(number)} stages trained; it has "
            f"{candidates[0].num_stages}.",
            next_step=f"Choose from 1 to {candidates[0].num_stages}, or all.",
        )
    names = [name for name, _ in backbone.network.named_modules() if name]
    if unfreeze not in names:
        near = near_names(unfreeze, names)
        raise UsageError(
            f"{backbone.name} has no layer named {unfreeze!r}.",
            next_step=(f"Did you mean {near[0]}? " if near else "")
            + "Or say how many stages, such as 2-stages, or all.",
        )
    graph = trace(backbone.network, (3, *size), mode="eval")
    starts = [op.index for op in graph.ops if f"{op.module_path}.".startswith(f"{unfreeze}.")]
    before = [p for p in cut_points(graph) if starts and p.op_index < starts[0]]
    if not before:
        return candidates[0]
    # The last one may lie within a layer that the first half opens; its name is its own.
    point = before[-1]
    return Candidate(
        point.name,
        0,
        tuple(point.shape[1:]),
        point.macs_before.value or 0,
        point.macs_after.value or 0,
        point.parameters_after,
    )


def divide(
    backbone: Backbone, candidate: Candidate, *, num_classes: int, size: tuple[int, int]
) -> Division:
    """Returns a copy of the network with a classifier of ``num_classes``, divided.

    The classifier's weights are zero; the caller gives it others.
    """
    import torch

    network = own_copy(backbone.network).eval()
    shape = (num_classes, backbone.num_features)
    install_head(network, torch.zeros(shape), torch.zeros(num_classes))
    network.requires_grad_(True)
    if not candidate.name:
        depths = _depths(network, [name for name, _ in network.named_parameters()])
        return Division(candidate, None, network, network, depths)
    graph = trace(network, (3, *size), mode="eval")
    # By position, not by name: two operations may bear the same one.
    point = next(
        p
        for p in cut_points(graph)
        if p.name == candidate.name and tuple(p.shape[1:]) == candidate.shape
    )
    prefix, suffix = cut(network, graph, point)
    prefix.requires_grad_(False)
    all_depths = _depths(network, [name for name, _ in network.named_parameters()])
    by_identity = {id(value): all_depths[name] for name, value in network.named_parameters()}
    depths = {name: by_identity[id(value)] for name, value in suffix.named_parameters()}
    part = frozen_part(backbone, prefix, cut=candidate.name, shape=candidate.shape)
    return Division(candidate, part, suffix, network, depths)


def _stage_ends(graph: Graph) -> list[CutPoint]:
    """Returns the last cut of every shape, among ends of modules with several layers.

    A network that is one long row of layers has hardly any of these; there every layer counts.
    """
    maps = [point for point in cut_points(graph) if len(point.shape) == 4]
    containers = _containers(graph)
    chosen = [point for point in maps if point.name in containers]
    if len({point.shape for point in chosen}) < _FEWEST_STAGES:
        chosen = maps
    last: dict[tuple[int, ...], CutPoint] = {tuple(p.shape[1:]): p for p in chosen}
    classifier = sum(
        graph.parameter(name).count for name in (graph.ops[-1].parameters if graph.ops else ())
    )
    return sorted(
        (point for point in last.values() if point.parameters_after > classifier),
        key=lambda point: point.op_index,
    )


def _containers(graph: Graph) -> set[str]:
    """Returns modules with several layers inside; a normalisation with its activation is one."""
    layers: dict[str, set[str]] = {}
    for op in graph.ops:
        path = op.module_path.rpartition(".")[0]
        while path:
            if op.parameters:
                layers.setdefault(path, set()).add(op.name)
            path = path.rpartition(".")[0]
    return {path for path, names in layers.items() if len(names) > 1}


def _whole(graph: Graph | None, size: tuple[int, int], num_stages: int) -> Candidate:
    macs = 0 if graph is None else sum(op.macs.value or 0 for op in graph.ops)
    count = 0 if graph is None else sum(parameter.count for parameter in graph.parameters)
    return Candidate("", num_stages, (3, *size), 0, macs, count)


def _depths(network: nn.Module, names: list[str]) -> dict[str, float]:
    """Returns how deep each parameter lies: its layer's position among all layers."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    last = max(1, len(layers) - 1)
    depth = {layer: index / last for index, layer in enumerate(layers)}
    return {name: depth[name.rpartition(".")[0]] for name in names}
