"""T411: a first loss far from that of chance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["T411"], **options).outcomes["T411"]  # type: ignore[arg-type]


def severities(net: nn.Module, **options: object) -> list[str]:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


def small(num_outputs: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, num_outputs),
    )


BATCH = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(8) % 4


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
