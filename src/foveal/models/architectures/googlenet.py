"""GoogLeNet: four kernel sizes side by side, and 1×1 convolutions that make it affordable.

Szegedy et al. (CVPR 2015, arXiv:1409.4842). As in torchvision, whose names of tensors these
are, batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) takes the place of response
normalisation, and the branch that the paper calls 5×5 is 3×3, a slip that trained weights have
made permanent; ``wide_kernel=5`` gives the paper's.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper, require_one_of

PAPER = Paper(
    authors="Szegedy et al.",
    title="Going Deeper with Convolutions",
    year=2015,
    identifier="arXiv:1409.4842",
)


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet returns in training, each ``[N, num_classes]``; all three get a loss.

    The loss of an auxiliary classifier is weighted by 0.3 (section 5).
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class ConvNormRelu(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Returns maps that the stride has divided."""
        rectified: Tensor = self.relu(self.bn(self.conv(maps)))
        return rectified


class Inception(nn.Module):
    """Figure 2(b): four branches on one input, their channels joined.

    Args:
        in_channels: Of the input.
        narrow: Channels of the 1×1 branch.
        middle: Channels of the 3×3 branch: reduced to, and then.
        wide: The same for the 5×5 branch.
        pooled: Channels of the 1×1 convolution after max pooling.
        wide_kernel: Of the branch that the paper calls 5×5.
    """

    def __init__(
        self,
        in_channels: int,
        narrow: int,
        middle: tuple[int, int],
        wide: tuple[int, int],
        pooled: int,
        *,
        wide_kernel: int,
    ) -> None:
        super().__init__()
        self.branch1 = ConvNormRelu(in_channels, narrow)
        self.branch2 = nn.Sequential(
            ConvNormRelu(in_channels, middle[0]),
            ConvNormRelu(*middle, kernel_size=3),
        )
        self.branch3 = nn.Sequential(
            ConvNormRelu(in_channels, wide[0]),
            ConvNormRelu(*wide, kernel_size=wide_kernel),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            ConvNormRelu(in_channels, pooled),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Returns ``[N, narrow + middle + wide + pooled, H, W]``."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(maps) for branch in branches], dim=1)


class AuxiliaryClassifier(nn.Module):
    """A second head halfway up, which feeds gradient to the lower layers in training."""

    def __init__(self, in_channels: int, num_classes: int, *, dropout: float) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = ConvNormRelu(in_channels, 128)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Returns the logits."""
        # [N, C, 14, 14] → [N, 128, 4, 4] → [N, 2048]
        vectors = self.conv(self.pool(maps)).flatten(1)
        logits: Tensor = self.fc2(self.dropout(self.relu(self.fc1(vectors))))
        return logits


class GoogLeNet(nn.Module):
    """Nine Inception modules. Logits ``[N, num_classes]``; ``GoogLeNetOutputs`` in training.

    Takes ``[N, C, H, W]``, at least 15×15.

    Args:
        num_classes: K.
        in_channels: C.
        auxiliary: Whether the two auxiliary classifiers exist; without them training, too,
            returns plain logits.
        wide_kernel: 3 as in torchvision, 5 as in the paper.
        rescale_input: Turn ImageNet's mean and standard deviation into 0.5 and 0.5, which
            torchvision's checkpoint was trained with.
        dropout: Before the classifier.
        auxiliary_dropout: Inside the auxiliary classifiers.

    Raises:
        UsageError: A count below 1, or another ``wide_kernel``.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        auxiliary: bool = True,
        wide_kernel: Literal[3, 5] = 3,
        rescale_input: bool = False,
        dropout: float = 0.2,
        auxiliary_dropout: float = 0.7,
    ) -> None:
        super().__init__()
        require_at_least(1, operation="GoogLeNet", num_classes=num_classes, in_channels=in_channels)
        require_one_of((3, 5), architecture="GoogLeNet", wide_kernel=wide_kernel)
        if rescale_input:
            require_one_of(
                (3,), architecture="GoogLeNet with rescale_input", in_channels=in_channels
            )
        self.rescale_input = rescale_input

        def inception(in_channels: int, narrow: int, middle: tuple[int, int],
                      wide: tuple[int, int], pooled: int) -> Inception:  # fmt: skip
            return Inception(in_channels, narrow, middle, wide, pooled, wide_kernel=wide_kernel)

        # [N, C, 224, 224]
        self.conv1 = ConvNormRelu(in_channels, 64, kernel_size=7, stride=2)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        # [N, 64, 56, 56]
        self.conv2 = ConvNormRelu(64, 64)
        self.conv3 = ConvNormRelu(64, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        # [N, 192, 28, 28]
        self.inception3a = inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        # [N, 480, 14, 14]
        self.inception4a = inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=True)
        # [N, 832, 7, 7]
        self.inception5a = inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = inception(832, 384, (192, 384), (48, 128), 128)
        # [N, 1024, 7, 7]
        self.aux1: AuxiliaryClassifier | None = None
        self.aux2: AuxiliaryClassifier | None = None
        if auxiliary:
            self.aux1 = AuxiliaryClassifier(512, num_classes, dropout=auxiliary_dropout)
            self.aux2 = AuxiliaryClassifier(528, num_classes, dropout=auxiliary_dropout)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        self._initialise()

    def forward(self, images: Tensor) -> Tensor | GoogLeNetOutputs:
        """Returns the logits; in training, with auxiliary classifiers, those of all three."""
        if self.rescale_input:
            images = _from_imagenet_statistics(images)
        maps = self.maxpool1(self.conv1(images))
        maps = self.maxpool2(self.conv3(self.conv2(maps)))
        maps = self.maxpool3(self.inception3b(self.inception3a(maps)))
        maps = self.inception4a(maps)
        first = self._assist(self.aux1, maps)
        maps = self.inception4d(self.inception4c(self.inception4b(maps)))
        second = self._assist(self.aux2, maps)
        maps = self.maxpool4(self.inception4e(maps))
        maps = self.inception5b(self.inception5a(maps))
        logits: Tensor = self.fc(self.dropout(self.avgpool(maps).flatten(1)))
        if first is None or second is None:
            return logits
        return GoogLeNetOutputs(logits, second, first)

    def _assist(self, head: AuxiliaryClassifier | None, maps: Tensor) -> Tensor | None:
        return head(maps) if self.training and head is not None else None

    def _initialise(self) -> None:
        """As torchvision: N(0, 0.01²), which it cuts off 200 deviations away."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=0.01)


def _from_imagenet_statistics(images: Tensor) -> Tensor:
    """Undoes ``(x - mean) / std`` with ImageNet's figures and does ``(x - 0.5) / 0.5``."""
    mean = images.new_tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = images.new_tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (images * std + mean - 0.5) / 0.5
