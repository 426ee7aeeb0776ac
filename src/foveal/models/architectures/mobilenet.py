"""MobileNet: convolutions split into one per channel and one across channels.

Howard et al. (2017, arXiv:1704.04861). A dense k×k convolution from M to N channels costs
``k²·M·N`` multiplications a position; depthwise k×k and then pointwise 1×1 cost ``k²·M + M·N``,
which is ``1/N + 1/k²`` of it (section 3.1): about an eighth for 3×3.
"""

from __future__ import annotations

from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.errors import UsageError
from foveal.models.architectures.paper import Paper

PAPER = Paper(
    authors="Howard et al.",
    title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    year=2017,
    identifier="arXiv:1704.04861",
)

# Table 1: channels and stride of each block. The table prints stride 2 for the last one too,
# where its own sizes, 7×7 before and after, say 1.
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


class DepthwiseSeparable(nn.Module):
    """A depthwise 3×3 and a pointwise 1×1 convolution, each normalised and rectified.

    Figure 3, right. Returns ``[N, out_channels, H / stride, W / stride]``.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size=3,
            stride=stride,
            padding=1,
            groups=in_channels,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.pointwise = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Filters within channels, then mixes them."""
        filtered = self.relu1(self.bn1(self.depthwise(maps)))
        mixed: Tensor = self.relu2(self.bn2(self.pointwise(filtered)))
        return mixed


class MobileNetV1(nn.Module):
    """One dense convolution, thirteen separable ones, a pooled linear head.

    Takes ``[N, C, H, W]`` and returns logits ``[N, num_classes]``.

    Args:
        num_classes: K.
        in_channels: C.
        width: The multiplier α of section 3.3, which scales every layer's channels; the paper
            has 1, 0.75, 0.5 and 0.25. Cost falls with about its square.

    Raises:
        UsageError: A count below 1, or a width that leaves a layer without channels.
    """

    def __init__(
        self, num_classes: int = 1000, *, in_channels: int = 3, width: float = 1.0
    ) -> None:
        super().__init__()
        require_at_least(
            1, operation="MobileNet v1", num_classes=num_classes, in_channels=in_channels
        )
        if not 1 / 32 <= width < float("inf"):
            raise UsageError(
                f"MobileNet v1: width is {width}, expected at least 1/32.",
                next_step="The paper has 1, 0.75, 0.5 and 0.25.",
            )
        channels = int(32 * width)
        # [N, C, 224, 224]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        # [N, 32, 112, 112]
        blocks = []
        for block_width, stride in _BLOCKS:
            out_channels = int(block_width * width)
            blocks.append(DepthwiseSeparable(channels, out_channels, stride=stride))
            channels = out_channels
        # → [N, 128, 56, 56] → [N, 256, 28, 28] → [N, 512, 14, 14] → [N, 1024, 7, 7]
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        self._initialise()

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.avgpool(self.blocks(self.stem(images)))
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits

    def _initialise(self) -> None:
        """He et al. (arXiv:1502.01852); the paper does not say."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # By fan-in: the fan-out that PyTorch computes takes no notice of groups.
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
