"""``timm:NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foveal.models.sources.resolved import (
    ResolvedModel,
    Weights,
    build_network,
    no_pretrained_weights,
    read_input_shape,
)

if TYPE_CHECKING:
    from torch import nn


def from_timm(name: str, weights: Weights) -> ResolvedModel:
    """Returns timm's network of that name.

    Raises:
        UnknownModelError: timm has none; near names are offered.
        WeightsError: Its pretrained weights cannot be had.
    """
    import timm

    from foveal.models.backbone import require_timm_model

    require_timm_model(name)

    def build() -> nn.Module:
        network: nn.Module = timm.create_model(name, pretrained=weights == "pretrained")
        return network

    try:
        network = build_network(build, weights)
    except Exception as error:  # the hub client raises OSError, ValueError and its own
        if weights != "pretrained":
            raise
        raise no_pretrained_weights(f"timm:{name}", error) from error
    config: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    return ResolvedModel(
        f"timm:{name}",
        network,
        *read_input_shape(config.get("input_size"), "timm's configuration"),
    )
