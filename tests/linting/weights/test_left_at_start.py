"""W205: layers that training never reached."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint
from foveal.linting.weights.start_values import describe_start


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["W205"], **options).outcomes["W205"]  # type: ignore[arg-type]


def trained() -> nn.Sequential:
    """A network whose weights have heavier tails than any initialisation gives."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 64, 3),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 64),
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.05 * torch.randn_like(parameter) ** 3)
    net(torch.randn(4, 3, 16, 16))
    return net


def locations(net: nn.Module, **options: object) -> list[tuple[str, str]]:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    return [(finding.location, finding.severity) for finding in found.findings]


def test_fires_on_a_layer_in_the_middle() -> None:
    net = trained()
    net[3].reset_parameters()
    assert locations(net) == [("3", "warning")]


def test_a_new_classifier_is_an_information() -> None:
    net = trained()
    net[7].reset_parameters()
    assert locations(net) == [("7", "info")]


def test_nothing_loaded_is_an_error() -> None:
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3))
    assert locations(net, is_pretrained=True) == [("", "error")]


def test_stays_silent_on_trained_weights() -> None:
    assert locations(trained()) == []


def test_not_applicable_to_a_new_network() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 64, 7)), NotApplicable)


def test_not_applicable_to_a_new_network_after_a_dry_run() -> None:
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 3))
    net.train()(torch.randn(4, 3, 16, 16))
    assert isinstance(outcome(net), NotApplicable)


@pytest.mark.parametrize(
    "draw",
    [
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.xavier_normal_,
        lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out"),
        lambda weight: nn.init.trunc_normal_(weight, std=0.02),
    ],
)
def test_usual_initialisations_are_recognised(draw) -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(32, 64, 3)
    draw(layer.weight)
    assert describe_start(layer, layer.weight.detach()) is not None


def test_a_normal_distribution_of_another_width_is_not() -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(32, 64, 3)
    nn.init.normal_(layer.weight, std=0.037)
    assert describe_start(layer, layer.weight.detach()) is None


@pytest.mark.parametrize("axis", [0, 1])
def test_a_normal_distribution_with_channels_of_unlike_size_is_not(axis: int) -> None:
    """As in torchvision's trained MobileNet v2: normal, and of a usual deviation by chance."""
    torch.manual_seed(1)
    layer = nn.Conv2d(160, 960, 1)
    nn.init.normal_(layer.weight, std=(2 / 160) ** 0.5)
    assert describe_start(layer, layer.weight.detach()) is not None
    sizes = torch.linspace(0.9, 1.1, layer.weight.shape[axis])
    uneven = layer.weight.detach() * sizes.view([-1 if a == axis else 1 for a in range(4)])
    assert describe_start(layer, uneven) is None


@pytest.mark.parametrize("seed", range(3))
def test_new_depthwise_layers_are_recognised(seed: int) -> None:
    """Nine weights a channel: the sizes of new channels scatter widely."""
    torch.manual_seed(seed)
    layer = nn.Conv2d(512, 512, 3, groups=512)
    nn.init.kaiming_normal_(layer.weight)
    assert describe_start(layer, layer.weight.detach()) is not None
