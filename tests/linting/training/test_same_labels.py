"""T414: labels that are all the same."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T414")


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


HEAD = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
MANY = torch.rand(16, 3, 8, 8)
NEARLY = torch.tensor([3] * 15 + [1])


def test_fires_on_one_that_differs_among_sixteen() -> None:
    loss = nn.CrossEntropyLoss()
    assert severities(HEAD, batch=MANY, labels=NEARLY, loss=loss) == ["warning"]


def test_classes_that_are_weighed_are_known_to_be_uneven() -> None:
    loss = nn.CrossEntropyLoss(weight=torch.ones(4))
    assert severities(HEAD, batch=MANY, labels=NEARLY, loss=loss) == []


def test_amounts_may_be_mostly_zero() -> None:
    labels = torch.tensor([0.0] * 15 + [2.5])[:, None]
    assert severities(HEAD, batch=MANY, labels=labels, loss=nn.MSELoss()) == []


def test_fires_on_equal_images_with_different_labels() -> None:
    images, loss = MANY[:8].repeat(2, 1, 1, 1), nn.CrossEntropyLoss()
    labels = torch.arange(16) % 3
    assert severities(HEAD, batch=images, labels=labels, loss=loss) == ["warning"]
    assert severities(HEAD, batch=images, labels=labels[:8].repeat(2), loss=loss) == []
