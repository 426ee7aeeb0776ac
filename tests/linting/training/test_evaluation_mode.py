"""T417: training in evaluation mode."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint

BATCH = torch.rand(8, 3, 16, 16)


def outcome(net: nn.Module, **options: object) -> object:
    given: dict[str, object] = {
        "batch": BATCH,
        "labels": torch.arange(8) % 4,
        "optimizer": torch.optim.SGD(net.parameters(), lr=0.01),
        "loss": nn.CrossEntropyLoss(),
        **options,
    }
    return lint(net, select=["T417"], **given).outcomes["T417"]  # type: ignore[arg-type]


def small(middle: nn.Module) -> nn.Sequential:
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return nn.Sequential(nn.Conv2d(3, 8, 3), middle, nn.ReLU(), *pool)


@pytest.mark.parametrize("middle", [nn.BatchNorm2d(8), nn.Dropout(0.5)])
def test_fires_on_layers_that_evaluation_changes(middle: nn.Module) -> None:
    found = outcome(small(middle).eval())
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["warning"]
    assert outcome(small(middle).train()) == Checked()


def test_stays_silent_where_the_mode_changes_nothing() -> None:
    assert outcome(small(nn.GroupNorm(2, 8)).eval()) == Checked()


def test_not_applicable_to_a_trained_network() -> None:
    net = small(nn.BatchNorm2d(8)).train()
    net(BATCH)
    assert isinstance(outcome(net.eval()), NotApplicable)


def test_not_applicable_where_no_step_is_said_to_follow() -> None:
    assert isinstance(outcome(small(nn.BatchNorm2d(8)).eval(), loss=None), NotApplicable)
