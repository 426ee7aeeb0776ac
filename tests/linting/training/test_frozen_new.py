"""T416: layers frozen before they learned."""

from __future__ import annotations

import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T416")


def frozen(net: nn.Sequential) -> dict[str, object]:
    net[0].requires_grad_(False)
    net[3].requires_grad_(False)
    optimizer = torch.optim.SGD(net[8].parameters(), lr=0.01)
    return {"net": net, "optimizer": optimizer, "input_shape": (3, 32, 32)}


def test_fires_on_new_weights(net: nn.Sequential) -> None:
    found = outcome(**frozen(net))  # type: ignore[arg-type]
    assert isinstance(found, Checked)
    assert [finding.data["num_new"] for finding in found.findings] == [2]


def test_stays_silent_on_trained_weights(pretrained: nn.Sequential) -> None:
    assert outcome(**frozen(pretrained)) == Checked()  # type: ignore[arg-type]


def test_not_applicable_where_nothing_is_frozen(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    found = outcome(net, optimizer=optimizer, input_shape=(3, 32, 32))
    assert isinstance(found, NotApplicable)


def test_fires_on_a_small_head_as_pytorch_draws_it(net: nn.Sequential) -> None:
    net[8].requires_grad_(False)
    optimizer = torch.optim.SGD(net[:8].parameters(), lr=0.01)
    assert severities(net, optimizer=optimizer, input_shape=(3, 32, 32)) == ["warning"]


def test_stays_silent_on_fixed_filters() -> None:
    net = nn.Sequential(nn.Conv2d(3, 12, 3, groups=3, bias=False), nn.ReLU(), nn.Conv2d(12, 8, 3))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 4)
    net[0].requires_grad_(False)
    optimizer = torch.optim.SGD(net[2].parameters(), lr=0.01)
    assert severities(net, optimizer=optimizer, input_shape=(3, 32, 32)) == []
