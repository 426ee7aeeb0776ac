"""S120: an activation or dropout on the logits."""

from __future__ import annotations

import pytest
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["S120"], **options).outcomes["S120"]  # type: ignore[arg-type]


def severities(net: nn.Module, **options: object) -> list[str]:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


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
