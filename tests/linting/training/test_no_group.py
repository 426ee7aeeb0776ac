"""T403: trainable parameters in no group."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T403"])  # type: ignore[arg-type]
    return report.outcomes["T403"]


def test_what_is_missing_is_counted_and_named(net: nn.Sequential) -> None:
    found = outcome(net, torch.optim.SGD(net[3:].parameters(), lr=0.1))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert finding.data["names"] == ["0.weight", "1.weight", "1.bias"]
    assert finding.data["num_weights"] == 64 * 3 * 9 + 64 + 64


def test_stays_silent_when_all_are_held(net: nn.Sequential) -> None:
    assert outcome(net, torch.optim.SGD(net.parameters(), lr=0.1)) == Checked()


def test_stays_silent_when_the_rest_is_frozen(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    assert outcome(net, torch.optim.SGD(net[8].parameters(), lr=0.1)) == Checked()


def test_tied_weights_are_held_once(net: nn.Sequential) -> None:
    net.append(nn.Linear(20, 64, bias=False))
    net.append(nn.Linear(64, 20, bias=False))
    net[10].weight = net[8].weight
    assert outcome(net, torch.optim.SGD(net.parameters(), lr=0.1)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
