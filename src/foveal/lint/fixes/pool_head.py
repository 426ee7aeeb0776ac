"""Puts global average pooling and one linear layer in the place of a flattening head."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from foveal.errors import UsageError
from foveal.lint.finding import Finding
from foveal.lint.fixes.fix import Fix
from foveal.lint.fixes.places import module_at, replace_module


class AveragePlaces(nn.Module):
    """Averages a flattened map over its places: ``(N, C * H * W)`` to ``(N, C)``."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, flattened: torch.Tensor) -> torch.Tensor:
        """Returns the mean of each channel; the map may have any size."""
        return flattened.reshape(flattened.shape[0], self.num_channels, -1).mean(dim=2)

    def extra_repr(self) -> str:
        """Returns the number of channels."""
        return str(self.num_channels)


def apply(model: nn.Module, finding: Finding) -> None:
    """Averages where the first linear layer stood; the last one reads the channels.

    What lies between, activations and dropout, stays: the mean of a map behind a ReLU passes
    another ReLU unchanged. The new linear layer starts at random.
    """
    paths = [str(path) for path in finding.data["linear_layers"]]
    num_channels = cast(int, finding.data["channels"])
    num_classes = cast(int, finding.data["num_classes"])
    for path in paths:
        if not isinstance(module_at(model, finding, path), nn.Linear):
            raise UsageError(
                f"{path!r} is no linear layer, so the head cannot be replaced mechanically.",
                next_step=finding.fix,
            )
    first = cast(nn.Linear, model.get_submodule(paths[0]))
    average = AveragePlaces(num_channels)
    classifier = nn.Linear(
        num_channels, num_classes, device=first.weight.device, dtype=first.weight.dtype
    )
    if len(paths) == 1:
        replace_module(model, paths[0], nn.Sequential(average, classifier))
        return
    replace_module(model, paths[0], average)
    for path in paths[1:-1]:
        replace_module(model, path, nn.Identity())
    replace_module(model, paths[-1], classifier)


FIX = Fix("pool-head", "average the map and read it with one linear layer", "same shape", apply)
