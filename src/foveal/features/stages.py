"""The pooled results of every stage of a network, as further outputs of the same forward pass.

A stage ends where one tensor carries everything on and its number of channels changes next. Early
stages hold texture and contrast, late ones parts and objects; together they say more than the last
alone (Evci et al. 2022, "Head2Toe", arXiv 2201.03529).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from foveal.errors import FovealError, ModelError
from foveal.features.reading import Reading
from foveal.graph import cut_points, trace
from foveal.images import View
from foveal.models import Backbone
from foveal.models.over_stages import StagedNetwork

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
