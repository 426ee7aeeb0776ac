"""S121: layers without any nonlinearity."""

from __future__ import annotations

import pytest
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S121")


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
