"""A reading as a network: from images to what a model over the frozen network is given."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from foveal.features.frozen_part import frozen_part
from foveal.features.reading import INPUT, Reading
from foveal.features.stages import read_at
from foveal.graph import cut, cut_points, trace
from foveal.models import Backbone


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
