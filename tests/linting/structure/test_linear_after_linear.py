"""S110: two linear maps with nothing between them."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S110"], **options).outcomes["S110"]  # type: ignore[arg-type]


def severities(*layers: nn.Module) -> list[str]:
    found = outcome(nn.Sequential(*layers))
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


def test_fires_directly_and_through_batch_norm() -> None:
    layers = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)]
    assert severities(*layers) == ["warning", "warning"]


def test_fires_between_linear_layers() -> None:
    assert severities(nn.Flatten(), nn.Linear(3072, 64), nn.Dropout(), nn.Linear(64, 10)) == [
        "warning"
    ]


def test_two_pointwise_layers_are_an_information() -> None:
    assert severities(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)) == ["info"]


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param((nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 8, 1)), id="separable"),
        pytest.param((nn.Conv2d(3, 8, (1, 3)), nn.Conv2d(8, 8, (3, 1))), id="rows and columns"),
        pytest.param((nn.Conv2d(3, 2, 3), nn.Conv2d(2, 8, 3)), id="low rank"),
        pytest.param((nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), id="activation"),
    ],
)
def test_stays_silent_on_factorisations(pair: tuple[nn.Module, ...]) -> None:
    assert severities(*pair) == []


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_stays_silent_on_linear_bottlenecks(name: str) -> None:
    with torch.device("meta"):
        net = torchvision.models.get_model(name)
    assert outcome(net, input_shape=(3, 224, 224)) == Checked()


def test_scores_that_are_enlarged_are_an_information() -> None:
    net = nn.Sequential(nn.Conv2d(16, 5, 1), nn.ConvTranspose2d(5, 5, 4, 2, 1))
    found = outcome(net, input_shape=(16, 8, 8))
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["info"]


def test_not_applicable_to_one_layer() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)
