"""AlexNet: the network of 2012, split over two GPUs, and its one-column successor.

Krizhevsky, Sutskever and Hinton (NIPS 2012). Memory of 3 GB forced the split: layers 2, 4
and 5 read only the half of the channels that lives on their own GPU, which today is one
convolution with ``groups=2``. Krizhevsky's "One weird trick for parallelizing convolutional
neural networks" (2014, arXiv:1404.5997) has one column, fewer channels and no response
normalisation; that is the one torchvision has, with the same names of tensors as here.
"""

from __future__ import annotations

from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper

PAPER = Paper(
    authors="Krizhevsky, Sutskever, Hinton",
    title="ImageNet Classification with Deep Convolutional Neural Networks",
    year=2012,
    identifier="NIPS 25",
)
ONE_COLUMN_PAPER = Paper(
    authors="Krizhevsky",
    title="One weird trick for parallelizing convolutional neural networks",
    year=2014,
    identifier="arXiv:1404.5997",
)


class AlexNet2012(nn.Module):
    """The original: two groups, response normalisation, overlapping pooling.

    Takes ``[N, C, 224, 224]`` and returns logits ``[N, num_classes]``. The paper's figures
    fit 227 pixels without padding; 224 with a padding of 2 gives the same 55×55 positions.

    Raises:
        UsageError: ``num_classes`` or ``in_channels`` is below 1.
    """

    def __init__(
        self, num_classes: int = 1000, *, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        require_at_least(1, operation="AlexNet", num_classes=num_classes, in_channels=in_channels)
        self.features = nn.Sequential(
            # [N, C, 224, 224]
            nn.Conv2d(in_channels, 96, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            ResponseNorm(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 96, 27, 27]
            nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            ResponseNorm(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 256, 13, 13]; the third layer alone reads the channels of both GPUs
            nn.Conv2d(256, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 256, 6, 6]
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            # [N, 9216]
            nn.Linear(256 * 6 * 6, 4096),
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
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def _initialise(self) -> None:
        """Section 5: weights from N(0, 0.01²), some biases 1 so that their ReLUs start alive."""
        layers = [m for m in self.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        started_at_one = {1, 3, 4, 5, 6}  # the 2nd, 4th and 5th convolution; both hidden layers
        for index, layer in enumerate(layers):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, float(index in started_at_one))


class ResponseNorm(nn.LocalResponseNorm):
    """Section 3.3: ``a / (2 + 1e-4 · Σ a²)^0.75``, the sum over 5 neighbouring channels.

    PyTorch takes the mean where the paper takes the sum, hence 5 times its alpha.
    """

    def __init__(self) -> None:
        super().__init__(size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)


class AlexNet(nn.Module):
    """The one-column variant of 2014, tensor for tensor torchvision's ``alexnet``.

    Takes ``[N, C, H, W]``, at least 63×63, and returns logits ``[N, num_classes]``. Layers
    keep PyTorch's initial weights, as torchvision's do.

    Raises:
        UsageError: ``num_classes`` or ``in_channels`` is below 1.
    """

    def __init__(
        self, num_classes: int = 1000, *, in_channels: int = 3, dropout: float = 0.5
    ) -> None:
        super().__init__()
        require_at_least(1, operation="AlexNet", num_classes=num_classes, in_channels=in_channels)
        self.features = nn.Sequential(
            # [N, C, 224, 224]
            nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 64, 27, 27]
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 192, 13, 13]
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            # [N, 256, 6, 6]
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)  # does nothing at 224 pixels
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits
