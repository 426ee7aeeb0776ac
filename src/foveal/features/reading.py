"""Which results of a frozen network are read: the last pooled vector, or that of every stage.

The stages are further outputs of the same forward pass. With its reading a network leads from
images to what a model over it is given.

A stage ends where one tensor carries everything on and its number of channels changes next. Early
stages hold texture and contrast, late ones parts and objects; together they say more than the last
alone (Evci et al. 2022, "Head2Toe", arXiv 2201.03529).
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from foveal.errors import FovealError, ModelError
from foveal.features.frozen_part import frozen_part
from foveal.graph import cut, cut_points, trace
from foveal.images import View
from foveal.models import Backbone
from foveal.models.over_stages import StagedNetwork


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a frozen network for one image: by default, what its classifier would see.

    It is a key: two equal readings give equal numbers.

    Attributes:
        views: The image is shown in each, and what was read is averaged.
        stages: Modules whose results, averaged over positions, stand before the features.
        widths: Lengths of these vectors and of the features; empty where it is one vector.
        cut: The position in the network whose tensor is read; ``""`` for the vector that the
            classifier would see, ``"input"`` for the prepared image itself.
        cut_shape: Of the tensor there, without a batch.
    """

    views: tuple[View, ...] = ("identity",)
    stages: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    cut: str = ""
    cut_shape: tuple[int, ...] = ()


INPUT = "input"
"""Stands for a cut before the first layer."""

POOLED = Reading()
"""The image as it stands, and the vector that the network's classifier would see."""


_MAX_DEPTH = 2  # "layer3", "blocks.4": what lies deeper is the inside of a block
_MAX_STAGES = 12


@dataclass(frozen=True, slots=True)
class StagedBackbone(Backbone):
    """A backbone whose vector is that of every stage; ``num_features`` is T.

    Attributes:
        stages: Modules of the network, in order; the features come after them.
        widths: Channels of each, and of the features.
    """

    stages: tuple[str, ...]
    widths: tuple[int, ...]

    def feature_network(self) -> StagedNetwork:
        """Returns a copy of the network that gives every stage."""
        return StagedNetwork(self.network, self.stages).eval()


def with_stages(backbone: Backbone, size: tuple[int, int]) -> StagedBackbone:
    """Returns ``backbone`` with the pooled results of its stages before its features.

    Args:
        backbone: The network; it is left as it is.
        size: Height and width of the input in pixels.

    Raises:
        ModelError: The network cannot be traced, or has no stage before its features.
    """
    try:
        stages = _find_stages(backbone, size)
    except FovealError as error:
        raise ModelError(
            f"The stages of {backbone.name} cannot be found: {error.message}",
            next_step="Use its last pooled vector alone: --head linear.",
        ) from error
    names = tuple(name for name, _ in stages)
    staged = read_at(backbone, names, (*(width for _, width in stages), backbone.num_features))
    _require_the_same(backbone, staged, size)
    return staged


def read_at(backbone: Backbone, stages: tuple[str, ...], widths: tuple[int, ...]) -> StagedBackbone:
    """Returns ``backbone`` with these stages, which :func:`with_stages` found before."""
    digest = hashlib.sha256("\0".join((backbone.weights.digest, *stages)).encode()).hexdigest()
    return StagedBackbone(
        name=f"{backbone.name}-stages",
        network=backbone.network,
        num_features=sum(widths),
        pretrained_config=backbone.pretrained_config,
        weights=replace(backbone.weights, digest=digest),
        stages=stages,
        widths=widths,
    )


def _find_stages(backbone: Backbone, size: tuple[int, int]) -> list[tuple[str, int]]:
    """Returns module and channels of each stage before the last."""
    modules = dict(backbone.network.named_modules())
    points = [
        point
        for point in cut_points(trace(backbone.network, (3, *size)))
        if len(point.shape) == 4
        and point.shape[2] * point.shape[3] > 1
        and point.name in modules
        and point.name.count(".") < _MAX_DEPTH
    ]
    ends = [one for one, after in pairwise(points) if one.shape[1] != after.shape[1]]
    # What is pooled into the features is no stage of its own.
    if points and points[-1].shape[1] != backbone.num_features:
        ends.append(points[-1])
    if not ends:
        raise ModelError("no single tensor separates it before its features.")
    spread = np.unique(
        np.linspace(0, len(ends) - 1, min(len(ends), _MAX_STAGES)).round().astype(int)
    )
    return [(ends[index].name, ends[index].shape[1]) for index in spread]


def _require_the_same(backbone: Backbone, staged: StagedBackbone, size: tuple[int, int]) -> None:
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            found = staged.feature_network()(images)
            expected = backbone.feature_network()(images)
    except Exception as error:  # a module that is called in a way of its own
        raise ModelError(
            f"The stages of {backbone.name} cannot be read: {type(error).__name__}: {error}",
            next_step="Use its last pooled vector alone: --head linear.",
        ) from error
    if found.shape != (1, staged.num_features) or not torch.allclose(
        found[:, -backbone.num_features :], expected, rtol=1e-3, atol=1e-5
    ):
        raise ModelError(
            f"The stages of {backbone.name} cannot be read: it answers otherwise with them.",
            next_step="Use its last pooled vector alone: --head linear.",
        )


def reading_of(backbone: Backbone, views: tuple[View, ...]) -> Reading:
    """Returns what is read of ``backbone``: every stage, where it has them."""
    if isinstance(backbone, StagedBackbone):
        return Reading(views, backbone.stages, backbone.widths)
    return Reading(views)


class ReadingNetwork(nn.Module):
    """Images [N, 3, H, W] → the network's features [N, D], and what is read, [N, ...].

    Where both are the same, the network runs once.
    """

    def __init__(self, backbone: Backbone, reading: Reading, size: tuple[int, int]) -> None:
        super().__init__()
        self.num_last = reading.widths[-1] if reading.stages else 0
        self.first: nn.Module
        self.rest: nn.Module = nn.Identity()
        if reading.stages:
            self.first = read_at(backbone, reading.stages, reading.widths).feature_network()
        elif reading.cut:
            self.first, self.rest = _halves(backbone, reading, size)
        else:
            self.first = copy.deepcopy(backbone.feature_network())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features and what is read."""
        read: Tensor = self.first(images)
        # Of all stages, the features stand last.
        features: Tensor = read[:, -self.num_last :] if self.num_last else self.rest(read)
        return features.flatten(1), read


def readable_network(backbone: Backbone, reading: Reading, size: tuple[int, int]) -> Backbone:
    """Returns what a backend runs to give what is read, each image's numbers in a row."""
    if reading.stages:
        return read_at(backbone, reading.stages, reading.widths)
    if not reading.cut:
        return backbone
    first, _ = _halves(backbone, reading, size)
    return frozen_part(backbone, first, cut=reading.cut, shape=reading.cut_shape)


def _halves(
    backbone: Backbone, reading: Reading, size: tuple[int, int]
) -> tuple[nn.Module, nn.Module]:
    network = copy.deepcopy(backbone.feature_network())
    if reading.cut == INPUT:
        return nn.Identity(), network
    graph = trace(network, (3, *size), mode="eval")
    # The feature network holds the network as a part of its own.
    point = next(
        point
        for point in cut_points(graph)
        if point.name.removeprefix("network.") == reading.cut
        and tuple(point.shape[1:]) == reading.cut_shape
    )
    return cut(network, graph, point)
