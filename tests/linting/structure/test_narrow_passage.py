"""S125: a passage of a single number."""

from __future__ import annotations

import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S125")


def through(width: int, num_outputs: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, num_outputs)
    )


def test_fires_at_the_layer() -> None:
    assert severities(through(1), input_shape=(3, 4, 4)) == ["warning"]


def test_stays_silent_on_two() -> None:
    assert outcome(through(2), input_shape=(3, 4, 4)) == Checked()


def test_stays_silent_on_a_gate_beside() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.head = nn.Linear(48, 1), nn.Linear(48, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.flatten(1)
            return self.head(x * torch.sigmoid(self.gate(x)))

    assert outcome(Gated(), input_shape=(3, 4, 4)) == Checked()


def test_not_applicable_to_one_answer() -> None:
    assert isinstance(outcome(through(1, 1), input_shape=(3, 4, 4)), NotApplicable)
