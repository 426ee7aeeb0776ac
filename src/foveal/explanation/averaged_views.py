"""Averages a network's logits over views, divides them by a temperature, and maps likewise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.explanation.explaining import MapMaker
from foveal.explanation.heat_map import HeatMap
from foveal.images.views import View, turn

_BACK: dict[View, View] = {"rot90": "rot270", "rot270": "rot90"}


class AveragedViews(nn.Module):
    """Averages the logits of a network over views of a square image, and tempers them.

    With a linear head over pooled features that is the same as averaging the features, which
    is what a run with several views does.
    """

    def __init__(
        self, network: nn.Module, views: Sequence[View], *, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.network = network
        self.views = tuple(views)

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits [N, K], divided by the temperature, of images [N, C, H, W]."""
        turned = [self.network(turn_batch(images, view)) for view in self.views]
        mean: Tensor = torch.stack(turned).mean(0)
        return mean / self.temperature


def tempered(heat_map: HeatMap, temperature: float) -> HeatMap:
    """Returns a map of a logit as one of that logit divided by a temperature."""
    signed, bias = heat_map.signed, heat_map.bias
    return replace(
        heat_map,
        logit=heat_map.logit / temperature,
        values=heat_map.values / np.float32(temperature),
        signed=None if signed is None else signed / np.float32(temperature),
        bias=None if bias is None else bias / temperature,
    )


def turn_batch(images: Tensor, view: View) -> Tensor:
    """Turns a batch [N, 3, H, W] as ``foveal.images.views.turn`` turns one image."""
    match view:
        case "identity":
            return images
        case "hflip":
            return images.flip(3)
        case "vflip":
            return images.flip(2)
        case "rot180":
            return images.flip(2, 3)
        case "rot90":
            return images.transpose(2, 3).flip(2)
        case "rot270":
            return images.transpose(2, 3).flip(3)
        case "transpose":
            return images.transpose(2, 3)
        case "transverse":
            return images.flip(2, 3).transpose(2, 3)


def average_maps(by_view: Sequence[HeatMap], views: Sequence[View]) -> HeatMap:
    """Returns the mean of one image's maps, each turned back to how the image stands."""
    first = by_view[0]
    if tuple(views) == ("identity",):
        return first
    logit = float(np.mean([one.logit for one in by_view]))
    values = _mean([one.values for one in by_view], views)
    signed = None
    parts = [one.signed for one in by_view if one.signed is not None]
    if len(parts) == len(by_view):
        signed = _mean(parts, views)
        # What is negative is cut off after averaging, as in a single map.
        values = np.clip(signed, 0.0, None) if first.method == "cam" else values
    biases = [one.bias for one in by_view if one.bias is not None]
    bias = float(np.mean(biases)) if len(biases) == len(by_view) else None
    return replace(first, logit=logit, values=values, signed=signed, bias=bias)


def _mean(maps: Sequence[NDArray[np.float32]], views: Sequence[View]) -> NDArray[np.float32]:
    back = [turn(one, _BACK.get(view, view)) for one, view in zip(maps, views, strict=True)]
    mean: NDArray[np.float32] = np.mean(back, axis=0, dtype=np.float32)
    return mean


def maps_over_views(
    images: Tensor, make: MapMaker, views: Sequence[View], wanted: Sequence[tuple[int, ...]]
) -> list[tuple[HeatMap, ...]]:
    """Returns each image's maps for its own classes, averaged over the views."""
    # More classes cost little more, and one batch less than many images by themselves.
    classes = sorted({index for several in wanted for index in several})
    by_view = [make(turn_batch(images, view), classes=classes) for view in views]
    return [
        tuple(
            average_maps([of_view[n][classes.index(index)] for of_view in by_view], views)
            for index in several
        )
        for n, several in enumerate(wanted)
    ]
