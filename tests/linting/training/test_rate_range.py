"""T412: a learning rate out of any sensible range."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T412")


def at(rate: float, kind: str = "SGD", *, scheduled: bool = False) -> dict[str, object]:
    net = nn.Conv2d(3, 8, 3)
    optimizer = getattr(torch.optim, kind)(net.parameters(), lr=rate)
    if scheduled:
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1e-6 * (epoch + 1))
    return {"net": net, "optimizer": optimizer, "input_shape": (3, 8, 8)}


@pytest.mark.parametrize(
    ("kind", "rate", "severity"),
    [
        ("SGD", 1.0, "warning"),
        ("SGD", 3.0, "warning"),
        ("SGD", 10.0, "error"),
        ("SGD", 1e-6, "warning"),
        ("Adam", 0.1, "warning"),
        ("AdamW", 1.0, "error"),
        ("RMSprop", 1.0, "error"),
        ("Adam", 1e-8, "warning"),
        ("Adadelta", 1e-3, "warning"),
    ],
)
def test_fires(kind: str, rate: float, severity: str) -> None:
    assert severities(**at(rate, kind)) == [severity]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("SGD", 0.1),
        ("SGD", 1e-4),
        ("Adam", 1e-5),
        ("Adam", 0.01),
        ("Adadelta", 1.0),
    ],
)
def test_stays_silent_on_usual_rates(kind: str, rate: float) -> None:
    assert outcome(**at(rate, kind)) == Checked()  # type: ignore[arg-type]


def test_not_applicable_to_optimizers_of_other_kinds() -> None:
    assert isinstance(outcome(**at(1.0, "LBFGS")), NotApplicable)  # type: ignore[arg-type]


def test_large_batches_take_larger_rates() -> None:
    call = at(3.2) | {"settings": {"batch_size": 8192}}
    assert outcome(**call) == Checked()  # type: ignore[arg-type]


def test_the_planned_rate_counts_in_a_warm_up() -> None:
    assert outcome(**at(0.1, scheduled=True)) == Checked()  # type: ignore[arg-type]


def test_trained_weights_take_smaller_rates() -> None:
    assert outcome(**at(1e-7), is_pretrained=True) == Checked()  # type: ignore[arg-type]


def test_a_slow_group_beside_another_is_meant() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
    groups = [{"params": net[0].parameters(), "lr": 1e-7}, {"params": net[1].parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.01)
    assert outcome(net, optimizer=optimizer, input_shape=(3, 8, 8)) == Checked()


def test_not_applicable_without_an_optimizer() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3), input_shape=(3, 8, 8)), NotApplicable)


@pytest.mark.parametrize(
    ("rate", "momentum", "dampening", "expected"),
    [
        (0.1, 0.99, 0, ["warning"]),
        (0.8, 0.95, 0, ["warning"]),
        (0.1, 0.99, 0.99, []),
        (0.1, 0.9, 0, []),
        (0.5, 0.9, 0, []),
        (0.01, 0.99, 0, []),
    ],
)
def test_momentum_adds_steps_up(
    rate: float, momentum: float, dampening: float, expected: list[str]
) -> None:
    net = nn.Conv2d(3, 8, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=momentum, dampening=dampening)
    assert severities(net, optimizer=optimizer, input_shape=(3, 8, 8)) == expected
