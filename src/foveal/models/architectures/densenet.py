"""DenseNet: every layer reads the maps of all layers before it in its block.

Huang, Liu, van der Maaten and Weinberger (CVPR 2017, arXiv:1608.06993). Each layer adds a few
channels, the growth rate k, to what is there, so features are reused instead of learned again.
These are the DenseNets-BC for ImageNet: 1×1 bottlenecks of 4k channels, and transitions that
halve the channels. Names of tensors as in torchvision; checkpoints from before they changed
(``denselayer1.norm.1.weight``) load as well.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper, require_one_of

PAPER = Paper(
    authors="Huang, Liu, van der Maaten, Weinberger",
    title="Densely Connected Convolutional Networks",
    year=2017,
    identifier="arXiv:1608.06993",
)

# Table 1, and DenseNet-161 of the authors' repository: growth rate, channels of the first
# layer, layers in each block.
_CONFIGURATIONS = {
    121: (32, 64, (6, 12, 24, 16)),
    161: (48, 96, (6, 12, 36, 24)),
    169: (32, 64, (6, 12, 32, 32)),
    201: (32, 64, (6, 12, 48, 32)),
}
_OLD_KEY = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


class DenseLayer(nn.Sequential):
    """Norm, ReLU, 1×1 to 4k channels; norm, ReLU, 3×3 to k channels; joined to the input.

    Returns ``[N, in_channels + growth_rate, H, W]``.
    """

    def __init__(self, in_channels: int, growth_rate: int, *, dropout: float) -> None:
        width = 4 * growth_rate
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            norm1=nn.BatchNorm2d(in_channels),
            relu1=nn.ReLU(inplace=True),
            conv1=nn.Conv2d(in_channels, width, kernel_size=1, bias=False),
            norm2=nn.BatchNorm2d(width),
            relu2=nn.ReLU(inplace=True),
            conv2=nn.Conv2d(width, growth_rate, kernel_size=3, padding=1, bias=False),
        )
        if dropout:
            layers["dropout"] = nn.Dropout(dropout)
        super().__init__(layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Returns the maps with the new ones behind them."""
        new_maps = super().forward(maps)  # type: ignore[no-untyped-call]
        return torch.cat([maps, new_maps], dim=1)


class DenseBlock(nn.Sequential):
    """Dense layers of one resolution."""

    def __init__(
        self, num_layers: int, in_channels: int, growth_rate: int, *, dropout: float
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for index in range(num_layers):
            layers[f"denselayer{index + 1}"] = DenseLayer(
                in_channels + index * growth_rate, growth_rate, dropout=dropout
            )
        super().__init__(layers)


class Transition(nn.Sequential):
    """Between blocks: 1×1 to half the channels, average pooling to half the size."""

    def __init__(self, in_channels: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            norm=nn.BatchNorm2d(in_channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(in_channels, in_channels // 2, kernel_size=1, bias=False),
            pool=nn.AvgPool2d(kernel_size=2, stride=2),
        )
        super().__init__(layers)


class DenseNet(nn.Module):
    """Four dense blocks with transitions between them and a pooled linear head.

    Takes ``[N, C, H, W]``, at least 29×29, and returns logits ``[N, num_classes]``.

    Args:
        depth: 121, 161, 169 or 201 layers with weights.
        num_classes: K.
        in_channels: C.
        dropout: Of each layer's new maps; 0 for ImageNet.

    Raises:
        UsageError: Another depth, or a count below 1.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_at_least(1, operation="DenseNet", num_classes=num_classes, in_channels=in_channels)
        require_one_of(_CONFIGURATIONS, architecture="DenseNet", depth=depth)
        growth_rate, channels, num_layers = _CONFIGURATIONS[depth]
        # [N, C, 224, 224]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(channels),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        # [N, 64, 56, 56]; DenseNet-121 after its blocks: [N, 256, 56, 56], [N, 512, 28, 28],
        # [N, 1024, 14, 14], [N, 1024, 7, 7], each halved in size and channels before the next
        for index, length in enumerate(num_layers, start=1):
            layers[f"denseblock{index}"] = DenseBlock(
                length, channels, growth_rate, dropout=dropout
            )
            channels += length * growth_rate
            if index < len(num_layers):
                layers[f"transition{index}"] = Transition(channels)
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        self._initialise()
        self.register_load_state_dict_pre_hook(_rename_old_keys)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.avgpool(self.relu(self.features(images)))
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits

    def _initialise(self) -> None:
        """He et al. (arXiv:1502.01852), by fan-in, as in torchvision."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)


def _rename_old_keys(_: nn.Module, state_dict: dict[str, Any], *__: Any) -> None:
    """Renames ``denselayer1.norm.1.weight`` to ``denselayer1.norm1.weight``, in place."""
    for key in list(state_dict):
        renamed = _OLD_KEY.sub(r"\1\2.", key)
        if renamed != key:
            state_dict[renamed] = state_dict.pop(key)
