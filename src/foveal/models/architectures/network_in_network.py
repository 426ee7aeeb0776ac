"""Network in Network: 1×1 convolutions between the layers, and no linear layer at the end.

Lin, Chen and Yan (ICLR 2014, arXiv:1312.4400). A filter followed by 1×1 convolutions is a
small multilayer perceptron that slides over the image (section 3.1). The last one gives a
map for each class, whose mean is the class's score (section 3.2): global average pooling,
which has nothing to overfit with.
"""

from __future__ import annotations

from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper

PAPER = Paper(
    authors="Lin, Chen, Yan",
    title="Network In Network",
    year=2014,
    identifier="arXiv:1312.4400",
)


class MlpConv(nn.Sequential):
    """A convolution and two 1×1 convolutions, each rectified (equation 2).

    Args:
        in_channels: Of the input.
        widths: Channels after the convolution and after each 1×1 convolution.
        kernel_size: Of the convolution, odd; the size of the map is kept.
    """

    def __init__(self, in_channels: int, widths: tuple[int, int, int], kernel_size: int) -> None:
        first, second, third = widths
        super().__init__(
            nn.Conv2d(in_channels, first, kernel_size, padding=kernel_size // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(second, third, kernel_size=1),
            nn.ReLU(inplace=True),
        )


class NetworkInNetwork(nn.Module):
    """The network for CIFAR-10: three perceptron layers and global average pooling.

    Takes ``[N, C, H, W]`` and returns logits ``[N, num_classes]``. The widths are those of the
    authors' published definition; the paper does not print them.

    Raises:
        UsageError: ``num_classes`` or ``in_channels`` is below 1.
    """

    def __init__(
        self, num_classes: int = 10, *, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        require_at_least(
            1, operation="Network in Network", num_classes=num_classes, in_channels=in_channels
        )
        self.features = nn.Sequential(
            # [N, C, 32, 32]
            MlpConv(in_channels, (192, 160, 96), kernel_size=5),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            nn.Dropout(dropout),
            # [N, 96, 16, 16]
            MlpConv(96, (192, 192, 192), kernel_size=5),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            nn.Dropout(dropout),
            # [N, 192, 8, 8]
            MlpConv(192, (192, 192, num_classes), kernel_size=3),
            # [N, K, 8, 8]
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self._initialise()

    def forward(self, images: Tensor) -> Tensor:
        """Returns the mean of each class's map."""
        scores: Tensor = self.avgpool(self.features(images))
        return scores.flatten(1)

    def _initialise(self) -> None:
        """Weights from N(0, 0.05²), as in the authors' published definition."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.05)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
