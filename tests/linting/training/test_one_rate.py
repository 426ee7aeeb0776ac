"""T401: pretrained and new layers at one rate."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, Undetermined, lint

SHAPE = (3, 32, 32)


def outcome(net: nn.Module, optimizer: object, **options: object) -> object:
    report = lint(net, input_shape=SHAPE, optimizer=optimizer, select=["T401"], **options)  # type: ignore[arg-type]
    return report.outcomes["T401"]


def only(net: nn.Module, optimizer: object) -> Finding:
    found = outcome(net, optimizer)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_one_large_rate_is_a_warning(pretrained: nn.Sequential) -> None:
    finding = only(pretrained, torch.optim.SGD(pretrained.parameters(), lr=0.01))
    assert (finding.severity, finding.data["pretrained_lr"]) == ("warning", 0.01)
    assert "the new '8' at 0.01 (SGD)" in finding.evidence


def test_one_small_rate_is_an_information(pretrained: nn.Sequential) -> None:
    finding = only(pretrained, torch.optim.AdamW(pretrained.parameters(), lr=1e-4))
    assert finding.severity == "info"


def test_a_head_of_zero_biases_is_new_whatever_its_weights(pretrained: nn.Sequential) -> None:
    nn.init.trunc_normal_(pretrained[8].weight, std=0.013)
    nn.init.zeros_(pretrained[8].bias)
    assert (
        only(pretrained, torch.optim.SGD(pretrained.parameters(), lr=0.01)).data["new_lr"] == 0.01
    )


def test_a_small_new_head_is_known_by_its_bounds(pretrained: nn.Sequential) -> None:
    pretrained[8] = nn.Linear(64, 3)
    assert only(pretrained, torch.optim.SGD(pretrained.parameters(), lr=0.01)).code == "T401"


def test_stays_silent_on_a_tenth_of_the_rate(pretrained: nn.Sequential) -> None:
    groups = [
        {"params": pretrained[:8].parameters(), "lr": 1e-3},
        {"params": pretrained[8].parameters()},
    ]
    assert outcome(pretrained, torch.optim.SGD(groups, lr=1e-2)) == Checked()


def test_stays_silent_on_a_frozen_backbone(pretrained: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(pretrained[8].parameters(), lr=1e-2)
    assert outcome(pretrained, optimizer) == Checked()


def test_does_not_apply_to_new_networks(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    assert isinstance(outcome(net, optimizer), NotApplicable)


def test_does_not_apply_where_it_is_said_not_to_be_pretrained(pretrained: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(pretrained.parameters(), lr=0.01)
    assert isinstance(outcome(pretrained, optimizer, is_pretrained=False), NotApplicable)


def test_cannot_tell_when_weights_contradict_what_is_said(net: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    assert isinstance(outcome(net, optimizer, is_pretrained=True), Undetermined)


def test_does_not_apply_when_the_head_is_trained_too(pretrained: nn.Sequential) -> None:
    with torch.no_grad():
        pretrained[8].weight *= torch.exp(torch.randn(20, 1))
        pretrained[8].bias += 0.1
    optimizer = torch.optim.SGD(pretrained.parameters(), lr=0.01)
    assert isinstance(outcome(pretrained, optimizer), NotApplicable)
