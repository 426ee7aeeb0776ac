"""T404: parameters in two groups."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T404"])  # type: ignore[arg-type]
    return report.outcomes["T404"]


def in_two_groups(net: nn.Sequential) -> torch.optim.Optimizer:
    groups = [{"params": list(net[:8].parameters())}, {"params": list(net[8].parameters())}]
    return torch.optim.SGD(groups, lr=0.1)


def test_two_groups_are_named(net: nn.Sequential) -> None:
    optimizer = in_two_groups(net)
    optimizer.param_groups[0]["params"].append(net[8].weight)
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.location) == ("error", "8.weight")
    assert finding.data["groups"] == [0, 1]


def test_twice_in_one_group_is_found(net: nn.Sequential) -> None:
    optimizer = in_two_groups(net)
    optimizer.param_groups[1]["params"].append(net[8].bias)
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    assert "group 1 lists them twice" in found.findings[0].evidence


def test_stays_silent_on_groups_that_share_nothing(net: nn.Sequential) -> None:
    assert outcome(net, in_two_groups(net)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
