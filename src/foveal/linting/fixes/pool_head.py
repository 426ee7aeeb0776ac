"""Puts global average pooling and one linear layer in the place of a flattening head."""

from __future__ import annotations

from typing import cast

from torch import nn

from foveal.errors import UsageError
from foveal.linting.finding import Finding
from foveal.linting.fixes.fix import Fix
from foveal.linting.fixes.places import module_at
from foveal.models.surgery.replace_head import pool_flattened_head


def apply(model: nn.Module, finding: Finding) -> None:
    """Averages where the first linear layer stood; the last one reads the channels.

    The new linear layer starts at random, always the same.
    """
    paths = [str(path) for path in finding.data["linear_layers"]]
    for path in paths:
        if not isinstance(module_at(model, finding, path), nn.Linear):
            raise UsageError(
                f"{path!r} is no linear layer, so the head cannot be replaced mechanically.",
                next_step=finding.fix,
            )
    pool_flattened_head(
        model,
        paths,
        num_channels=cast(int, finding.data["channels"]),
        num_classes=cast(int, finding.data["num_classes"]),
        norms=[str(path) for path in finding.data["norms"]],
    )


FIX = Fix("pool-head", "average the map and read it with one linear layer", "same shape", apply)
