"""S104: a last feature map with hardly any positions left."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S104"], **options).outcomes["S104"]  # type: ignore[arg-type]


def resnet(size: int) -> object:
    with torch.device("meta"):
        net = torchvision.models.resnet18()
    return outcome(net, input_shape=(3, size, size))


@pytest.mark.parametrize(("size", "severity"), [(32, "warning"), (64, "info")])
def test_fires_on_an_imagenet_network_at_small_sizes(size: int, severity: str) -> None:
    found = resnet(size)
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == [severity]
    assert found.findings[0].data["map"] == [size // 32, size // 32]


def test_stays_silent_at_the_size_it_was_made_for() -> None:
    assert resnet(224) == Checked()


def test_not_applicable_without_global_pooling() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    assert isinstance(outcome(net), NotApplicable)


def test_not_applicable_where_a_kernel_swallows_the_map() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert isinstance(outcome(net), NotApplicable)
