"""A network and what looks like pretrained weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn


@pytest.fixture
def net() -> nn.Sequential:
    """Two convolutions with batch norms, the second wide enough to be tested, and a head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 20),
    )


@pytest.fixture
def pretrained(net: nn.Sequential) -> nn.Sequential:
    """The same with filters of different strength, as training makes them; the head is new."""
    with torch.no_grad():
        for index in (0, 3):
            net[index].weight *= torch.exp(torch.randn(64, 1, 1, 1))
    return net
