"""W206: filters that are all the same."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule, small
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("W206")


@pytest.mark.parametrize("value", [0.1, -1.0])
def test_a_constant_layer_is_an_error(value: float) -> None:
    net = small()
    nn.init.constant_(net[0].weight, value)
    found = outcome(net, input_shape=(3, 16, 16))
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["0"]


def test_all_zero_is_an_error() -> None:
    net = small()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    assert severities(net, input_shape=(3, 16, 16)) == ["error"]


def test_stays_silent_on_a_head_that_begins_at_zero() -> None:
    net = small()
    nn.init.zeros_(net[4].weight)
    assert outcome(net, input_shape=(3, 16, 16)) == Checked()


def test_stays_silent_on_a_blur() -> None:
    blur = nn.Conv2d(3, 3, 3, groups=3, bias=False)
    nn.init.constant_(blur.weight, 1 / 9)
    fixed = nn.Conv2d(3, 3, 3, bias=False).requires_grad_(False)
    nn.init.constant_(fixed.weight, 1 / 9)
    net = nn.Sequential(blur, fixed, nn.Conv2d(3, 8, 3))
    assert outcome(net, input_shape=(3, 16, 16)) == Checked()


def test_not_applicable_without_values() -> None:
    with torch.device("meta"):
        net = small()
    assert isinstance(outcome(net, input_shape=(3, 16, 16)), NotApplicable)
