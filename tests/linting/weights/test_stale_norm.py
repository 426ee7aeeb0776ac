"""W203: batch norms that never saw data."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["W203"], **options).outcomes["W203"]  # type: ignore[arg-type]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)
    )


def test_fires_on_the_one_that_others_left_behind() -> None:
    net = network()
    net[3](torch.randn(4, 8, 5, 5))
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["1"]


def test_fires_where_scales_were_trained_and_statistics_lost() -> None:
    net = network()
    with torch.no_grad():
        net[1].weight.uniform_()
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["1", "3"]


def test_fires_on_a_network_that_is_said_to_be_trained() -> None:
    found = outcome(network(), is_pretrained=True)
    assert isinstance(found, Checked)
    assert len(found.findings) == 2


def test_stays_silent_on_a_new_network() -> None:
    assert outcome(network()) == Checked()


def test_stays_silent_on_new_scales_that_are_drawn_at_random() -> None:
    # As timm's RepVGG does; the convolutions beside them are as drawn.
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64))
    nn.init.normal_(net[1].weight, 0.1, 0.1)
    assert outcome(net) == Checked()


def test_stays_silent_once_all_have_seen_data() -> None:
    net = network()
    net(torch.randn(4, 3, 8, 8))
    assert outcome(net) == Checked()


def test_not_applicable_without_running_statistics() -> None:
    assert isinstance(outcome(nn.BatchNorm2d(3, track_running_stats=False)), NotApplicable)
