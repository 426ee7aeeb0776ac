"""T414: labels that are all the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.lint import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["T414"], **options).outcomes["T414"]  # type: ignore[arg-type]


def severities(net: nn.Module, **options: object) -> list[str]:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


NET = nn.Conv2d(3, 8, 3)
BATCH = torch.rand(8, 3, 8, 8)


@pytest.mark.parametrize("labels", [torch.full((8,), 3), torch.ones(8, 1), torch.zeros(8, 5)])
def test_fires(labels: torch.Tensor) -> None:
    assert severities(NET, batch=BATCH, labels=labels) == ["warning"]


def test_stays_silent_on_one_that_differs() -> None:
    assert outcome(NET, batch=BATCH, labels=torch.tensor([0] * 7 + [1])) == Checked()


@pytest.mark.parametrize("labels", [torch.zeros(7), torch.zeros(8, 8, 8), None])
def test_not_applicable_to_few_labels_masks_and_none(labels: torch.Tensor | None) -> None:
    assert isinstance(outcome(NET, batch=BATCH, labels=labels), NotApplicable)
