"""S126: pooling over the wrong extent."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, lint


def codes(net: nn.Module, *shape: int) -> list[str]:
    found = lint(net, select=["S126"], input_shape=shape).outcomes["S126"]
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


def pooled(pool: nn.Module, *, num_layers: int = 1) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()]
    for _ in range(num_layers - 1):
        layers += [nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, pool, nn.Conv2d(8, 8, 1), nn.AdaptiveAvgPool2d(1))


@pytest.mark.parametrize("pool", [nn.MaxPool2d(15), nn.AvgPool2d(16), nn.MaxPool2d(12, 10)])
def test_fires_on_windows_far_wider_than_what_is_seen(pool: nn.Module) -> None:
    assert codes(pooled(pool), 3, 48, 48) == ["warning"]


@pytest.mark.parametrize(
    ("pool", "size"),
    [
        (nn.MaxPool2d(2), 32),
        (nn.MaxPool2d(3, 2, 1), 32),
        (nn.MaxPool2d(13, 1, 6), 32),  # spatial pyramid pooling
        (nn.AvgPool2d(32), 32),  # the whole map
        (nn.AdaptiveAvgPool2d(6), 60),
    ],
)
def test_stays_silent_on_usual_pools(pool: nn.Module, size: int) -> None:
    assert codes(pooled(pool), 3, size, size) == []


def test_stays_silent_behind_many_layers() -> None:
    assert codes(pooled(nn.AvgPool2d(8), num_layers=8), 3, 32, 32) == []


class Mean(nn.Module):
    def __init__(self, *dims: int, is_last: bool = False) -> None:
        super().__init__()
        self.dims, self.is_last = dims, is_last
        self.body, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.body(x))
        return self.head((x.permute(0, 2, 3, 1) if self.is_last else x).mean(self.dims))


@pytest.mark.parametrize("dims", [(1, 2), (1, 3), (1, -2), (-3, -1)])
def test_fires_on_a_mean_over_channels_and_one_axis(dims: tuple[int, int]) -> None:
    assert codes(Mean(*dims), 3, 16, 16) == ["warning"]


def test_stays_silent_where_places_are_averaged() -> None:
    assert codes(Mean(2, 3), 3, 16, 16) == []
    assert codes(Mean(1, 2, is_last=True), 3, 16, 16) == []
