"""Small networks, and statistics such as training leaves them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn


def shaken(net: nn.Module) -> nn.Module:
    """Gives batch norms statistics, scales and shifts as training would."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net.eval()


class Residual(nn.Module):
    """Two convolutions with batch norm beside a shortcut."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return torch.relu(inner + self.shortcut(x))


class SmallResNet(nn.Module):
    """Stride 8, four blocks, dropout, a pooled linear head of five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.block1 = Residual(8)
        self.block2 = nn.Sequential(Residual(8, 2), nn.Dropout(0.5))
        self.block3 = Residual(8, 2)
        self.block4 = Residual(8)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block4(self.block3(self.block2(self.block1(self.stem(x)))))
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def shake() -> Callable[[nn.Module], nn.Module]:
    return shaken


@pytest.fixture
def resnet() -> nn.Module:
    return shaken(SmallResNet())


@pytest.fixture
def flattening() -> nn.Sequential:
    """A VGG in small: its head reads an 8 × 6 × 6 map with its positions."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 6 * 6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(),
        nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 5),
    ).eval()  # fmt: skip
