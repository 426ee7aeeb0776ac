"""S122: dropout of nearly everything."""

from __future__ import annotations

import pytest
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S122")


def net(value: float) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(value))


@pytest.mark.parametrize(("value", "severity"), [(0.9, "warning"), (1.0, "error")])
def test_fires(value: float, severity: str) -> None:
    assert severities(net(value), input_shape=(3, 8, 8)) == [severity]


@pytest.mark.parametrize("value", [0.5, 0.7, 0.0])
def test_stays_silent_on_usual_values(value: float) -> None:
    assert outcome(net(value), input_shape=(3, 8, 8)) == Checked()


def test_not_applicable() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3), input_shape=(3, 8, 8)), NotApplicable)
