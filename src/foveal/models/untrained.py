"""Backbones without pretrained weights: Foveal's own architectures, and timm's at a random start.

The seed fixes the start, so that the same seed gives the same weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from foveal.errors import ModelError
from foveal.models.catalogue import find_architecture


class OwnNetwork(nn.Module):
    """A network of the catalogue with the methods by which timm's are read and changed.

    Images [N, 3, H, W] to logits [N, K]: ``body`` gives the vector [N, D] that the last linear
    layer, ``fc``, reads.
    """

    def __init__(self, name: str, *, num_classes: int = 1) -> None:
        super().__init__()
        entry = find_architecture(name)
        body = entry.builder(num_classes=num_classes)
        linear = [path for path, module in body.named_modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise _no_linear_head(name)
        last = body.get_submodule(linear[-1])
        assert isinstance(last, nn.Linear)
        body.set_submodule(linear[-1], nn.Identity())
        self.body, self.fc = body, last
        self.num_classes = num_classes
        self.num_features = last.in_features
        # No weights that could want anything else: levels about 0, of about unit variance.
        self.pretrained_cfg: dict[str, Any] = {
            "input_size": entry.input_shape,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        }

    def forward_features(self, images: Tensor) -> Tensor:
        """Returns [N, D]."""
        features: Tensor = self.body(images)
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Returns what it is given, or its logits [N, K]."""
        return features if pre_logits else self.fc(features)

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits [N, K]."""
        logits: Tensor = self.fc(self.body(images))
        return logits

    def get_classifier(self) -> nn.Linear:
        """Returns the last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """Puts a new last layer, at random, in place of the old."""
        self.fc = nn.Linear(self.num_features, num_classes)
        self.num_classes = num_classes


def build_own(name: str, *, seed: int) -> nn.Module:
    """Returns a network of the catalogue at the start that ``seed`` fixes.

    Raises:
        UnknownModelError: The catalogue has none of that name.
        ModelError: Its classifier is not linear over one vector, also while it trains.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = OwnNetwork(name)
    size = network.pretrained_cfg["input_size"]
    # Some give more than logits while they train, or read no vector; batch norms need two images.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        features = OwnNetwork(name).train().forward_features(torch.zeros(2, *size))
    if not isinstance(features, Tensor) or tuple(features.shape) != (2, network.num_features):
        raise _no_linear_head(name)
    return network.eval()


def build_untrained_timm(name: str, *, seed: int) -> nn.Module:
    """Returns timm's network of that name, which exists, at the start that ``seed`` fixes."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = timm.create_model(name, pretrained=False)
    return network.eval()


def _no_linear_head(name: str) -> ModelError:
    return ModelError(
        f"{name} cannot be trained here: its classifier is not one linear layer over one vector.",
        next_step="Choose another, such as foveal:resnet20 for small images or foveal:resnet18.",
    )
