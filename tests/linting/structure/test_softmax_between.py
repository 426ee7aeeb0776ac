"""S124: softmax between layers."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S124")


def with_middle(*middle: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 8), *middle, nn.Linear(8, 4))


@pytest.mark.parametrize("after", [[], [nn.Dropout(0.1)], [nn.BatchNorm1d(8)]])
def test_fires_before_a_layer(after: list[nn.Module]) -> None:
    net = with_middle(nn.Softmax(dim=1), *after)
    assert severities(net, input_shape=(3, 4, 4)) == ["warning"]


def test_stays_silent_on_a_mixture() -> None:
    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.expert, self.head = (nn.Linear(48, 8) for _ in range(3))
            self.head = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.flatten(1)
            return self.head(self.gate(x).softmax(1) * self.expert(x))

    assert outcome(Mixture(), input_shape=(3, 4, 4)) == Checked()


def test_stays_silent_on_bins_read_by_frozen_weights() -> None:
    net = with_middle(nn.Softmax(dim=1))
    net[-1].requires_grad_(False)  # type: ignore[index]
    assert outcome(net, input_shape=(3, 4, 4)) == Checked()


def test_not_applicable_without_softmax() -> None:
    assert isinstance(outcome(with_middle(nn.ReLU()), input_shape=(3, 4, 4)), NotApplicable)
