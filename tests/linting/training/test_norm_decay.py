"""T406: weight decay on norms and biases."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T406"])  # type: ignore[arg-type]
    return report.outcomes["T406"]


def test_norms_and_biases_are_counted(net: nn.Sequential) -> None:
    found = outcome(net, torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=1e-4))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.location) == ("info", "1.weight")
    # Two batch norms with scale and shift, and the head's bias.
    assert (finding.data["num_norm_parameters"], finding.data["num_biases"]) == (2 * 2, 1)


def test_stays_silent_when_they_are_in_a_group_of_their_own(net: nn.Sequential) -> None:
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 1e-4},
        {"params": [p for p in net.parameters() if p.dim() <= 1]},
    ]
    assert outcome(net, torch.optim.SGD(groups, lr=0.1)) == Checked()


def test_stays_silent_on_frozen_ones(net: nn.Sequential) -> None:
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.dim() > 1)
    assert outcome(net, torch.optim.AdamW(net.parameters(), lr=0.1)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
