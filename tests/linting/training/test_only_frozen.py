"""T408: an optimizer with frozen parameters only."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T408"])  # type: ignore[arg-type]
    return report.outcomes["T408"]


def only(net: nn.Module, optimizer: object) -> Finding:
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_the_wrong_half_is_an_error(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    finding = only(net, torch.optim.SGD(net[:8].parameters(), lr=0.1))
    assert (finding.severity, finding.location) == ("error", "8.weight")
    assert "2 parameters of the model could be trained" in finding.evidence


def test_an_empty_optimizer_is_an_error(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.param_groups[0]["params"].clear()
    assert "holds no parameters" in only(net, optimizer).evidence


def test_stays_silent_when_one_can_change(net: nn.Sequential) -> None:
    net.requires_grad_(False)
    net[8].bias.requires_grad_(True)
    assert outcome(net, torch.optim.SGD(net.parameters(), lr=0.1)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
