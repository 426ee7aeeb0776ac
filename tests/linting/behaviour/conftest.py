"""Small networks with batch norms that have seen data, and pictures."""

from __future__ import annotations

import pytest
import torch
from torch import nn


def build_net() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16, momentum=None),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16, momentum=None),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    for seed in range(4):
        net(normalise(build_pictures(seed=seed)))
    return net.eval()


def build_pictures(*, seed: int, count: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = nn.functional.interpolate(coarse, 32, mode="bilinear", align_corners=True)
    grain = 0.1 * torch.randn(count, 3, 32, 32, generator=generator)
    tint = torch.tensor([1.1, 0.8, 0.4]).view(3, 1, 1)
    return ((smooth + grain) * tint).clamp(0, 1)


def normalise(images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (images - mean) / std


@pytest.fixture
def net() -> nn.Sequential:
    return build_net()


@pytest.fixture
def pictures() -> torch.Tensor:
    """Coloured images in [0, 1], [16, 3, 32, 32]."""
    return build_pictures(seed=9)


@pytest.fixture
def batch(pictures: torch.Tensor) -> torch.Tensor:
    """The same, as the network was trained on them."""
    return normalise(pictures)
