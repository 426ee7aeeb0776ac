"""``foveal:NAME``: an architecture of the catalogue."""

from __future__ import annotations

from foveal.errors import WeightsError
from foveal.models.catalogue import find_architecture
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import Weights, build_network


def from_foveal(name: str, weights: Weights) -> Network:
    """Returns Foveal's network of that name.

    Raises:
        UnknownModelError: Foveal has none; near names are offered.
        WeightsError: Pretrained weights are asked for; Foveal has none of its own.
    """
    architecture = find_architecture(name)
    if weights == "pretrained":
        raise WeightsError(
            f"Foveal has no pretrained weights for foveal:{name}.",
            next_step="Use timm:NAME or torchvision:NAME, or load a checkpoint into "
            f"foveal.models.build({name!r}) in Python.",
        )
    return describe_network(
        f"foveal:{name}",
        build_network(architecture.builder, weights),
        "foveal",
        architecture.input_shape,
        "Foveal's catalogue",
    )
