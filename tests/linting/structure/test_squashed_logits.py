"""S120: an activation or dropout on the logits."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S120")


class Clamp(nn.Module):
    def __init__(self, min: float | None = None, max: float | None = None) -> None:
        super().__init__()
        self.low, self.high = min, max

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=self.low, max=self.high)


def ending(*tail: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 10), *tail)


@pytest.mark.parametrize(
    ("tail", "loss", "expected"),
    [
        (nn.Sigmoid(), nn.CrossEntropyLoss(), ["error"]),
        (nn.Tanh(), nn.functional.cross_entropy, ["error"]),
        (nn.ReLU(), nn.CrossEntropyLoss(), ["warning"]),
        (nn.ReLU(), nn.BCEWithLogitsLoss(), ["error"]),
        (nn.GELU(), nn.CrossEntropyLoss(), ["warning"]),
        (nn.ReLU(), nn.NLLLoss(), ["error"]),
        (nn.Hardtanh(-4.0, 4.0), nn.CrossEntropyLoss(), []),
        (Clamp(0.0, 1.0), nn.CrossEntropyLoss(), ["error"]),
        (Clamp(max=1.0), nn.BCEWithLogitsLoss(), ["error"]),
        (Clamp(min=-1.0), nn.CrossEntropyLoss(), ["warning"]),
        (Clamp(min=-9.0), nn.CrossEntropyLoss(), []),
        (nn.ReLU6(), nn.CrossEntropyLoss(), ["warning"]),
        (Clamp(min=-1e4, max=1e4), nn.CrossEntropyLoss(), []),
        (Clamp(0.0, 1.0), nn.MSELoss(), []),
        (nn.Dropout(0.5), nn.CrossEntropyLoss(), ["warning"]),
        (nn.Dropout(0.5), nn.MSELoss(), ["warning"]),
        (nn.Sigmoid(), nn.BCELoss(), []),
        (nn.Sigmoid(), nn.MSELoss(), []),
        (nn.LogSoftmax(1), nn.NLLLoss(), []),
        (nn.Identity(), nn.CrossEntropyLoss(), []),
        (nn.Dropout(0.0), nn.CrossEntropyLoss(), []),
    ],
)
def test_severity_by_what_the_loss_loses(
    tail: nn.Module, loss: object, expected: list[str]
) -> None:
    assert severities(ending(tail), input_shape=(3, 4, 4), loss=loss) == expected


def test_the_floor_of_ten_classes_behind_a_sigmoid() -> None:
    found = outcome(ending(nn.Sigmoid()), input_shape=(3, 4, 4), loss=nn.CrossEntropyLoss())
    assert isinstance(found, Checked)
    # ln((e + 9) / e) = ln(1 + 9 / 2.71828)
    assert "below 1.46" in found.findings[0].evidence


def test_not_applicable_without_a_loss() -> None:
    assert isinstance(outcome(ending(nn.Sigmoid()), input_shape=(3, 4, 4)), NotApplicable)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [(nn.ReLU6(), "0.02"), (nn.Hardtanh(-2.0, 2.0), "0.15"), (Clamp(0.0, 1.0), "1.46")],
)
def test_the_floor_follows_from_the_range_that_the_call_states(
    tail: nn.Module, expected: str
) -> None:
    found = outcome(ending(tail), input_shape=(3, 4, 4), loss=nn.CrossEntropyLoss())
    assert isinstance(found, Checked)
    # ln(1 + 9 exp(low - high)): 0.022, 0.152, 1.461
    assert f"cannot fall below {expected}" in found.findings[0].evidence
