"""S111: a softmax before a loss that has its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S111"], **options).outcomes["S111"]  # type: ignore[arg-type]


def classifier(*last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10), *last).eval()


def severities(net: nn.Module, loss: object = None) -> list[str]:
    found = outcome(net, loss=loss)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.NLLLoss(), functional.cross_entropy])
def test_softmax_before_such_a_loss_is_an_error(loss: object) -> None:
    assert severities(classifier(nn.Softmax(dim=1)), loss) == ["error"]


def test_the_floor_is_what_the_loss_gives_for_certain_and_right_answers() -> None:
    found = outcome(classifier(nn.Softmax(dim=1)), loss=nn.CrossEntropyLoss())
    assert isinstance(found, Checked)
    certain = torch.eye(10)
    floor = nn.CrossEntropyLoss()(certain, torch.arange(10)).item()
    assert found.findings[0].data["loss_floor"] == pytest.approx(floor, abs=1e-6)


def test_without_a_loss_the_mode_decides() -> None:
    net = classifier(nn.Softmax(dim=1))
    assert severities(net) == ["info"]
    assert severities(net.train()) == ["warning"]


def test_log_softmax_is_an_information_before_cross_entropy() -> None:
    net = classifier(nn.LogSoftmax(dim=1))
    assert severities(net, nn.CrossEntropyLoss()) == ["info"]
    assert severities(net, nn.NLLLoss()) == []


def test_sigmoid_is_an_error_before_bce_with_logits_alone() -> None:
    net = classifier(nn.Sigmoid())
    assert severities(net, nn.BCEWithLogitsLoss()) == ["error"]
    assert severities(net, nn.BCELoss()) == []


def test_stays_silent_on_logits() -> None:
    assert outcome(classifier(), loss=nn.CrossEntropyLoss()) == Checked()


def test_not_applicable_without_an_operation() -> None:
    assert isinstance(outcome(nn.Identity()), NotApplicable)
