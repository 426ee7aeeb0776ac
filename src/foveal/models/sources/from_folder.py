"""A folder in the layout of timm's hub, which is what a run folder has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.images import Preprocessing
from foveal.models.catalogue import find_architecture
from foveal.models.network import Network, describe_network
from foveal.models.sources.building import Weights, build_network, read_input_shape
from foveal.text import printable

if TYPE_CHECKING:
    from torch import nn


def from_folder(folder: Path, weights: Weights) -> Network:
    """Builds what ``config.json`` names; loads ``model.safetensors`` unless told not to.

    Raises:
        UnknownModelError: timm has no architecture of that name.
        ModelError: There is no ``config.json``, or it is not what timm's hub has.
        WeightsError: The weights cannot be read or do not fit.
    """
    import timm

    from foveal.models.untrained import OWN_PREFIX, OwnNetwork
    from foveal.models.weights import read_state_dict

    shown = printable(str(folder))
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise ModelError(
            f"The folder {shown} has no config.json, so it holds no model.",
            next_step="Give a run folder, or a folder in the layout of timm's hub.",
        )
    try:
        config = json.loads(config_file.read_text("utf-8"))
        architecture, num_classes = config["architecture"], int(config["num_classes"])
        stated = dict(config.get("pretrained_cfg") or {})
        head = config.get("foveal_head")
        stated["label_names"] = config.get("label_names") or stated.get("label_names")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{shown}/config.json is not what timm's hub has: {type(error).__name__} "
            f"{printable(str(error))}.",
            next_step="It must name architecture and num_classes.",
        ) from error
    is_own = str(architecture).startswith(OWN_PREFIX)
    if is_own:
        find_architecture(architecture)
    elif not timm.is_model(architecture):
        raise UnknownModelError(
            f"{shown}/config.json names the architecture {printable(str(architecture))!r}, which "
            "this version of timm does not have.",
            next_step="Install the version of timm that the run names.",
        )

    def build() -> nn.Module:
        network: nn.Module = (
            OwnNetwork(architecture, num_classes=num_classes)
            if is_own
            else timm.create_model(architecture, pretrained=False, num_classes=num_classes)
        )
        if head is not None:
            network = _over_stages(network, head, num_classes, shown)
        if weights != "none":
            state = read_state_dict(folder / "model.safetensors")
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise WeightsError(
                    f"{shown}/model.safetensors does not fit {architecture} with {num_classes} "
                    f"classes: {printable(str(error).splitlines()[-1].strip())}"
                ) from error
        return network

    module = build_network(build, weights)
    shape, origin = read_input_shape(stated.get("input_size"), "the folder's config.json")
    own = getattr(module, "pretrained_cfg", None) or {}
    network = describe_network(
        shown,
        module,
        "folder",
        shape,
        origin,
        config={"mean": own.get("mean"), "std": own.get("std"), **stated},
    )
    of_run = folder / "preprocessing.json"
    if not of_run.is_file():
        return network
    prepared = Preprocessing.from_json(json.loads(of_run.read_text("utf-8"))["preprocessing"])
    return replace(network, preprocessing=prepared, preprocessing_origin="of the run")


def _over_stages(
    network: nn.Module, settings: Mapping[str, Any], num_classes: int, shown: str
) -> nn.Module:
    """Returns the classifier of a run that is no network of timm's own."""
    from foveal.models.stacked import build_classifier_like

    try:
        return build_classifier_like(network, settings, num_classes=num_classes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{shown}/config.json describes a head that this version does not know: "
            f"{type(error).__name__} {printable(str(error))}.",
            next_step="Train again with this version of Foveal.",
        ) from error
