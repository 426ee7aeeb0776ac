"""S121: layers without any nonlinearity."""

from __future__ import annotations

import pytest
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["S121"], **options).outcomes["S121"]  # type: ignore[arg-type]


def severities(net: nn.Module, **options: object) -> list[str]:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


SHAPE = (3, 16, 16)


def test_fires_where_norms_and_averages_alone_lie_between() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(392, 10)
    )
    assert severities(net, input_shape=SHAPE) == ["warning"]


@pytest.mark.parametrize("between", [nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 8), nn.SiLU()])
def test_stays_silent_with_one_nonlinearity(between: nn.Module) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), between, nn.Conv2d(8, 8, 3))
    assert outcome(net, input_shape=SHAPE) == Checked()


def test_not_applicable_to_one_layer() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3), input_shape=SHAPE), NotApplicable)
