"""Networks by name: ``timm:NAME``, ``torchvision:NAME``, ``foveal:NAME``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from foveal.errors import UnknownModelError, WeightsError
from foveal.models.catalogue import OWN_PREFIX, find_architecture
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import (
    Weights,
    build_network,
    no_pretrained_weights,
    read_input_shape,
)
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn


# These draw their initial weights from SciPy, slowly, unless told not to.
_SLOW_TO_INITIALISE = frozenset({"googlenet", "inception_v3"})


def torchvision_names() -> list[str]:
    """Returns the names of all of torchvision's networks."""
    return [str(name) for name in _zoo().list_models()]


def from_torchvision(name: str, weights: Weights) -> Network:
    """Returns torchvision's network of that name.

    Raises:
        UnknownModelError: torchvision has none; near names are offered.
        WeightsError: Its pretrained weights cannot be had.
    """
    if name not in torchvision_names():
        near = near_names(name, torchvision_names())
        raise UnknownModelError(
            f"torchvision has no model named {printable(name)!r}.",
            next_step=f"Did you mean {' or '.join(near)}?"
            if near
            else "torchvision.models.list_models() lists them all.",
        )
    options: dict[str, Any] = {"weights": "DEFAULT" if weights == "pretrained" else None}
    if name in _SLOW_TO_INITIALISE and weights == "none":
        options["init_weights"] = False
    if "weights_backbone" in inspect.signature(_zoo().get_model_builder(name)).parameters:
        options["weights_backbone"] = None

    def build() -> nn.Module:
        network: nn.Module = _zoo().get_model(name, **options)
        return network

    try:
        network = build_network(build, weights)
    except OSError as error:
        raise no_pretrained_weights(f"torchvision:{name}", error) from error
    return describe_network(f"torchvision:{name}", network, "torchvision", *_input_of(name))


def _input_of(name: str) -> tuple[tuple[int, int, int], str]:
    try:
        transforms = _zoo().get_model_weights(name)["DEFAULT"].transforms()
        size = transforms.crop_size[0]
    except (AttributeError, KeyError, ValueError, IndexError):
        return read_input_shape(None, "")
    return read_input_shape((3, size, size), "torchvision's weights")


def _zoo() -> Any:
    import torchvision

    return torchvision.models


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
        f"{OWN_PREFIX}{name}",
        build_network(architecture.builder, weights),
        "foveal",
        architecture.input_shape,
        "Foveal's catalogue",
    )
