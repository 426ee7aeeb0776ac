"""``timm:NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foveal.models.network import Network, describe_network
from foveal.models.sources.building import Weights, build_network, read_input_shape

if TYPE_CHECKING:
    from torch import nn


def from_timm(name: str, weights: Weights) -> Network:
    """Returns timm's network of that name.

    Raises:
        UnknownModelError: timm has none; near names are offered.
        WeightsError: Its pretrained weights cannot be had.
    """
    import timm

    from foveal.models.pretrained import load_timm_network, require_timm_model

    if weights == "pretrained":
        network = load_timm_network(name).network
    else:
        require_timm_model(name)

        def build() -> nn.Module:
            built: nn.Module = timm.create_model(name, pretrained=False)
            return built

        network = build_network(build, weights)
    config: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    return describe_network(
        f"timm:{name}",
        network,
        "timm",
        *read_input_shape(config.get("input_size"), "timm's configuration"),
    )
