"""T413: optimizer settings that no training can use."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T413")


def with_settings(kind: str, key: str, value: object) -> dict[str, object]:
    net = nn.Conv2d(3, 8, 3)
    momentum = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = getattr(torch.optim, kind)(net.parameters(), lr=0.01, **momentum)
    optimizer.param_groups[0][key] = value
    return {"net": net, "optimizer": optimizer, "input_shape": (3, 8, 8)}


@pytest.mark.parametrize(
    ("kind", "key", "value", "severity"),
    [
        ("SGD", "weight_decay", 1.0, "error"),
        ("SGD", "weight_decay", 0.1, "warning"),
        ("SGD", "weight_decay", -0.01, "error"),
        ("AdamW", "weight_decay", 10.0, "warning"),
        ("SGD", "momentum", 1.0, "error"),
        ("SGD", "momentum", 0.999, "warning"),
        ("SGD", "dampening", 1.0, "error"),
        ("Adam", "betas", (0.999, 0.9), "warning"),
        ("Adam", "betas", (0.999, 0.9999), "warning"),
        ("Adam", "eps", 0.0, "warning"),
        ("Adam", "maximize", True, "warning"),
    ],
)
def test_fires(kind: str, key: str, value: object, severity: str) -> None:
    assert severities(**with_settings(kind, key, value)) == [severity]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("SGD", "weight_decay", 5e-4),
        ("SGD", "momentum", 0.99),
        ("AdamW", "weight_decay", 0.3),
        ("Adam", "betas", (0.0, 0.99)),
        ("Adam", "betas", (0.5, 0.999)),
        ("RMSprop", "eps", 1.0),
    ],
)
def test_stays_silent_on_published_settings(kind: str, key: str, value: object) -> None:
    assert outcome(**with_settings(kind, key, value)) == Checked()  # type: ignore[arg-type]


def test_going_uphill_with_a_loss_that_is_to_fall_is_an_error() -> None:
    call = with_settings("SGD", "maximize", True) | {"loss": nn.CrossEntropyLoss()}
    assert severities(**call) == ["error"]  # type: ignore[arg-type]


def test_not_applicable_without_an_optimizer() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3), input_shape=(3, 8, 8)), NotApplicable)


@pytest.mark.parametrize(
    ("kind", "eps", "expected"),
    [
        ("Adam", 10.0, ["warning"]),
        ("RMSprop", 2.0, ["warning"]),
        ("Adam", 1.0, []),  # as Inception was trained
        ("AdamW", 1e-6, []),
    ],
)
def test_eps(kind: str, eps: float, expected: list[str]) -> None:
    assert severities(**with_settings(kind, "eps", eps)) == expected  # type: ignore[arg-type]
