"""T405: an optimizer with parameters of another model."""

from __future__ import annotations

import copy

import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, lint


def outcome(net: nn.Module, optimizer: object) -> object:
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T405"])  # type: ignore[arg-type]
    return report.outcomes["T405"]


def only(net: nn.Module, optimizer: object) -> Finding:
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_a_head_replaced_too_late_is_an_error(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net[8] = nn.Linear(64, 7)
    finding = only(net, optimizer)
    assert (finding.severity, finding.location) == ("error", "8.weight")
    assert finding.data["num_foreign"] == 2


def test_a_copy_is_another_model(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    finding = only(copy.deepcopy(net), optimizer)
    assert finding.data["num_foreign"] == finding.data["num_held"]


def test_parameters_of_a_loss_beside_the_models_are_an_information(net: nn.Sequential) -> None:
    temperature = nn.Parameter(torch.ones(()))
    finding = only(net, torch.optim.SGD([*net.parameters(), temperature], lr=0.1))
    assert finding.severity == "info"


def test_stays_silent_on_the_models_own(net: nn.Sequential) -> None:
    assert outcome(net, torch.optim.SGD(net.parameters(), lr=0.1)) == Checked()


def test_does_not_apply_without_an_optimizer(net: nn.Sequential) -> None:
    assert isinstance(outcome(net, None), NotApplicable)
