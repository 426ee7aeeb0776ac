"""S112: dropout in front of a batch norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S112"], **options).outcomes["S112"]  # type: ignore[arg-type]


def test_fires_with_the_growth_of_the_mean_square() -> None:
    net = nn.Sequential(nn.Dropout(0.2), nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))
    found = outcome(net)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    ones = nn.functional.dropout(torch.ones(200_000), 0.2, training=True)
    assert finding.location == "0"
    assert finding.data["ratio"] == pytest.approx(ones.square().mean().item(), rel=0.02)


def test_stays_silent_behind_the_last_batch_norm() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.2), nn.Conv2d(3, 8, 3))
    assert outcome(net) == Checked()


@pytest.mark.parametrize("net", [nn.Dropout(0.2), nn.BatchNorm2d(3)])
def test_not_applicable_without_both(net: nn.Module) -> None:
    assert isinstance(outcome(net), NotApplicable)


def test_not_applicable_to_dropout_of_nothing() -> None:
    net = nn.Sequential(nn.Dropout(0.0), nn.BatchNorm2d(3))
    assert isinstance(outcome(net), NotApplicable)
