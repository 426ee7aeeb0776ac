"""A small network for CIFAR-10, to be followed shape by shape.

Three convolutions that double the channels while pooling halves the map, then global average
pooling and one linear layer: the smallest network with every idea in place. It is an exercise
and no paper's; the data set is Krizhevsky's (2009). 94,538 parameters, small enough to learn
on a CPU.
"""

from __future__ import annotations

from torch import Tensor, nn

from foveal.arithmetic.checks import require_at_least
from foveal.models.architectures.paper import Paper

PAPER = Paper(
    authors="Krizhevsky",
    title="Learning Multiple Layers of Features from Tiny Images",
    year=2009,
    identifier="technical report, University of Toronto",
)


class CifarNet(nn.Module):
    """Takes ``[N, C, H, W]``, at least 4×4, and returns logits ``[N, num_classes]``.

    Raises:
        UsageError: ``num_classes`` or ``in_channels`` is below 1.
    """

    def __init__(self, num_classes: int = 10, *, in_channels: int = 3) -> None:
        super().__init__()
        require_at_least(1, operation="CifarNet", num_classes=num_classes, in_channels=in_channels)
        self.features = nn.Sequential(
            # [N, C, 32, 32]
            nn.Conv2d(in_channels, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2),
            # [N, 32, 16, 16]
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2),
            # [N, 64, 8, 8]
            nn.Conv2d(64, 128, kernel_size=3, padding=1),
            nn.ReLU(),
            # [N, 128, 8, 8]
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        # [N, 128, 1, 1]
        self.flatten = nn.Flatten()
        # [N, 128]
        self.classifier = nn.Linear(128, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(images))))
        return logits
