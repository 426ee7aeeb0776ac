from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from foveal.inspection import Inspection, inspect
from foveal.models.sources import open_network


@pytest.fixture(scope="session")
def inspected() -> Callable[..., Inspection]:
    """A named network on the meta device, inspected once for all tests."""
    found: dict[tuple[object, ...], Inspection] = {}

    def get(name: str, size: int = 224) -> Inspection:
        key = (name, size)
        if key not in found:
            resolved = open_network(name)
            found[key] = inspect(resolved.module, (3, size, size), name=name)
        return found[key]

    return get


class Separable(nn.Sequential):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
        )


@pytest.fixture
def separable() -> nn.Module:
    return Separable(256, 3)


@pytest.fixture
def cifar_net() -> nn.Module:
    """The network of topic 19."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
