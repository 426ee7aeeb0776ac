"""S123: batch norm statistics that do not average."""

from __future__ import annotations

import pytest
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S123")


def net(value: float) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=value))


@pytest.mark.parametrize(
    ("value", "severity"), [(0.99, "warning"), (0.0, "warning"), (1.0, "warning")]
)
def test_fires(value: float, severity: str) -> None:
    assert severities(net(value), input_shape=(3, 8, 8)) == [severity]


@pytest.mark.parametrize("value", [0.1, 0.01, 0.0003])
def test_stays_silent_on_usual_values(value: float) -> None:
    assert outcome(net(value), input_shape=(3, 8, 8)) == Checked()


def test_not_applicable() -> None:
    assert isinstance(
        outcome(
            nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=None)),
            input_shape=(3, 8, 8),
        ),
        NotApplicable,
    )
