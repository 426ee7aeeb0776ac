"""Several whole classifiers of one kind of network, whose logits are added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foveal.models.over_stages import StagedClassifier, build_classifier, head_settings
from foveal.models.surgery.changed_copy import own_copy


class StackedClassifier(nn.Module):
    """Images [N, 3, H, W] to the weighted sum of the logits of several classifiers."""

    weights: Tensor

    def __init__(self, members: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits [N, K]."""
        logits: Tensor = self.weights[0] * self.members[0](images)
        for index, member in enumerate(self.members):
            if index:
                logits = logits + self.weights[index] * member(images)
        return logits


def classifier_settings(network: nn.Module) -> dict[str, Any] | None:
    """Returns what :func:`build_classifier_like` needs beside the weights, as JSON values.

    ``None`` for a network of timm's own, which its name alone describes.
    """
    if isinstance(network, StackedClassifier):
        return {"kind": "stacked", "members": [classifier_settings(one) for one in network.members]}
    if isinstance(network, StagedClassifier):
        return head_settings(network)
    return None


def build_classifier_like(
    network: nn.Module, settings: Mapping[str, Any] | None, *, num_classes: int
) -> nn.Module:
    """Returns a classifier without weights, as :func:`classifier_settings` describes it.

    Args:
        network: Of timm's own, with any classifier; it may be changed.
        settings: What describes the classifier.
        num_classes: K.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: The settings do not describe one.
    """
    if settings is None:
        network.reset_classifier(num_classes)  # type: ignore[operator]
        return network
    if settings["kind"] != "stacked":
        network.reset_classifier(1)  # type: ignore[operator]  # a placeholder, as it was trained
        return build_classifier(network, settings, num_classes=num_classes)
    members = [
        build_classifier_like(own_copy(network), one, num_classes=num_classes)
        for one in settings["members"]
    ]
    return StackedClassifier(members, [1.0] * len(members))
