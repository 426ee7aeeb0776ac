"""A pretrained network as a function from images to feature vectors.

``load_backbone`` accepts any timm model whose classifier is linear over one pooled vector:
then the features are exactly that vector, and a head fitted on them can be put back into
the network without any change in its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from foveal.errors import ModelError, WeightsError
from foveal.models.catalogue import OWN_PREFIX, find_architecture
from foveal.models.pretrained import TimmNetwork, load_timm_network, require_timm_model
from foveal.models.untrained import build_own, build_untrained_timm
from foveal.models.weights import WeightsSource, digest_weights

if TYPE_CHECKING:
    from collections.abc import Callable

NoWeights = Literal["none"]

DEFAULT_BACKBONE = "tf_efficientnet_lite0"


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


def starts_at_random(name: str, weights: Path | NoWeights | None) -> bool:
    """Whether a network has no weights but random ones: none are wanted, or none exist."""
    return weights == "none" or (weights is None and name.startswith(OWN_PREFIX))


def require_backbone(name: str) -> None:
    """Checks that there is a network of that name, before anything is built.

    Raises:
        UnknownModelError: There is none; near names are offered.
    """
    if name.startswith(OWN_PREFIX):
        find_architecture(name)
    else:
        require_timm_model(name.removeprefix("timm:"))


def load_backbone(
    name: str = DEFAULT_BACKBONE, *, weights: Path | NoWeights | None = None, seed: int = 0
) -> Backbone:
    """Builds a network with its weights, ready to produce features.

    Weights come from ``weights`` if given; else from an installed package; else from timm's
    hub (or what the hub's cache already holds).

    Args:
        name: A timm model, such as ``"resnet18"`` or ``"timm:resnet18.a1_in1k"``; or one of
            Foveal's catalogue, such as ``"foveal:resnet20"``, which has no pretrained weights.
        weights: A checkpoint in timm's layout (for the ResNets, torchvision's is the same); or
            ``"none"`` for a random start.
        seed: Fixes that start.

    Raises:
        UnknownModelError: There is no such model; near names are offered.
        WeightsError: The weights cannot be had or do not fit.
        ModelError: The network's classifier is not linear over one pooled vector.
    """
    require_backbone(name)
    if starts_at_random(name, weights):
        is_own, plain = name.startswith(OWN_PREFIX), name.removeprefix("timm:")
        build = build_own if is_own else build_untrained_timm
        description = f"a random start (seed {seed}), nothing pretrained"
        loaded = TimmNetwork(plain, build(plain, seed=seed), description, None)
    elif name.startswith(OWN_PREFIX):
        raise WeightsError(
            f"Checkpoints cannot be loaded into {name} here: it starts at random.",
            next_step="Leave --weights out, or take timm's network of that name.",
        )
    else:
        loaded = load_timm_network(name, weights=None if weights == "none" else weights)
    network = _with_linear_head(loaded.network, num_classes=1).eval().requires_grad_(False)
    features = _probe_features(network, loaded.name)
    return Backbone(
        name=loaded.name,
        network=network,
        num_features=features.shape[1],
        pretrained_config=dict(network.pretrained_cfg),  # type: ignore[arg-type]
        weights=WeightsSource(
            description=loaded.description,
            licence=loaded.licence,
            digest=_digest_backbone(network),
        ),
    )


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


def _with_linear_head(network: nn.Module, *, num_classes: int) -> nn.Module:
    reset: Callable[[int], None] = network.reset_classifier  # type: ignore[assignment]
    reset(num_classes)
    network.num_classes = num_classes  # type: ignore[assignment]
    return network


def _probe_features(network: nn.Module, name: str) -> Tensor:
    """Runs one small batch and checks that the classifier is linear over the features."""
    size = network.pretrained_cfg.get("input_size", (3, 224, 224))  # type: ignore[operator, union-attr]
    classifier = network.get_classifier()  # type: ignore[operator]
    # Noise, not a blank image, for which a bend in the head might happen not to show.
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
