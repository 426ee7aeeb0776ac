"""VGG: depth from stacks of 3×3 convolutions.

Simonyan and Zisserman (ICLR 2015, arXiv:1409.1556). Two 3×3 layers see 5×5 pixels, three see
7×7, with fewer parameters than one large kernel and a nonlinearity after each (section 2.3).
The columns A, B, D and E of table 1 are torchvision's ``vgg11``, ``vgg13``, ``vgg16`` and
``vgg19``, with the same names of tensors; C ends its last three stages with 1×1 layers.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper, require_one_of

PAPER = Paper(
    authors="Simonyan, Zisserman",
    title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
    year=2015,
    identifier="arXiv:1409.1556",
)

Column = Literal["A", "B", "C", "D", "E"]

_WIDTHS = (64, 128, 256, 512, 512)
# Table 1: the kernels of each of the five stages.
_KERNELS: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}


class VGG(nn.Module):
    """Five stages of convolutions, each halved by max pooling, then three linear layers.

    Takes ``[N, C, H, W]``, at least 32×32, and returns logits ``[N, num_classes]``.

    Args:
        column: Of table 1: A has 11 layers with weights, B 13, C and D 16, E 19.
        num_classes: K.
        batch_norm: Normalise after each convolution. The paper, of 2014, does not.
        in_channels: C.
        dropout: Share of the hidden units left out in training.

    Raises:
        UsageError: No such column, or a count below 1.
    """

    def __init__(
        self,
        column: Column,
        num_classes: int = 1000,
        *,
        batch_norm: bool = False,
        in_channels: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_at_least(1, operation="VGG", num_classes=num_classes, in_channels=in_channels)
        require_one_of(_KERNELS, architecture="VGG", column=column)
        layers: list[nn.Module] = []
        for width, kernels in zip(_WIDTHS, _KERNELS[column], strict=True):
            for kernel in kernels:
                layers.append(nn.Conv2d(in_channels, width, kernel, padding=kernel // 2))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                in_channels = width
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        # [N, C, 224, 224] → [N, 64, 112, 112] → [N, 128, 56, 56] → [N, 256, 28, 28]
        # → [N, 512, 14, 14] → [N, 512, 7, 7]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)  # does nothing at 224 pixels
        self.classifier = nn.Sequential(
            # [N, 25088]; this one layer holds 103 million parameters
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        self._initialise()

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits

    def _initialise(self) -> None:
        """He et al. (arXiv:1502.01852), as torchvision; the paper began from a trained A."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)
