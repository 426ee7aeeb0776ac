"""T409: a learning rate that trains nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T409"])  # type: ignore[arg-type]
    return report.outcomes["T409"]


def findings(net: nn.Module, optimizer: object) -> tuple[Finding, ...]:
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    return found.findings


def in_two_groups(net: nn.Sequential) -> torch.optim.Optimizer:
    groups = [{"params": list(net[:8].parameters())}, {"params": list(net[8].parameters())}]
    return torch.optim.SGD(groups, lr=0.1)


@pytest.mark.parametrize("rate", [0.0, -0.1, float("nan")])
def test_a_rate_that_trains_nothing_is_an_error(net: nn.Sequential, rate: float) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.param_groups[0]["lr"] = rate
    (finding,) = findings(net, optimizer)
    assert (finding.severity, finding.location) == ("error", "0.weight")


def test_one_group_at_zero_is_a_warning(net: nn.Sequential) -> None:
    optimizer = in_two_groups(net)
    optimizer.param_groups[1]["lr"] = 0.0
    (finding,) = findings(net, optimizer)
    assert (finding.severity, finding.data["group_index"]) == ("warning", 1)


def test_a_rate_in_a_tensor_is_read(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=torch.tensor(0.0))
    assert len(findings(net, optimizer)) == 1


def test_stays_silent_at_the_start_of_a_warm_up(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch / 10)
    assert optimizer.param_groups[0]["lr"] == 0
    assert outcome(net, optimizer) == Checked()


def test_stays_silent_on_a_positive_rate(net: nn.Sequential) -> None:
    assert outcome(net, in_two_groups(net)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
