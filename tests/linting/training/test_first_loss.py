"""T411: a first loss far from that of chance."""

from __future__ import annotations

import pytest
from tests.linting.calls import BATCH, CLASSES, of_rule, small
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T411")


def sure(scale: float) -> nn.Module:
    net = small()
    nn.init.normal_(net[4].weight, std=scale)
    return net


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_fires_on_logits_far_apart(reduction: str) -> None:
    loss = nn.CrossEntropyLoss(reduction=reduction)
    assert severities(sure(300.0), batch=BATCH, labels=CLASSES, loss=loss) == ["warning"]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_stays_silent_on_a_new_network(reduction: str) -> None:
    loss = nn.CrossEntropyLoss(reduction=reduction)
    assert outcome(small(), batch=BATCH, labels=CLASSES, loss=loss) == Checked()


def test_not_applicable_to_a_trained_network() -> None:
    loss = nn.CrossEntropyLoss()
    found = outcome(sure(300.0), batch=BATCH, labels=CLASSES, loss=loss, is_pretrained=True)
    assert isinstance(found, NotApplicable)
