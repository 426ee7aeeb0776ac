"""T415: a trial that fails."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import BATCH, CLASSES, of_rule, small
from torch import nn

from foveal.linting import Checked, NotApplicable, lint

outcome, severities = of_rule("T415")


def tried(net: nn.Module, *, loss: object = None, **settings: object) -> dict[str, object]:
    optimizer = torch.optim.SGD(net.parameters(), **{"lr": 0.01, **settings})  # type: ignore[arg-type]
    loss = nn.CrossEntropyLoss() if loss is None else loss
    return {
        "net": net, "batch": BATCH, "labels": CLASSES, "optimizer": optimizer, "loss": loss
    }  # fmt: skip


def evidence(call: dict[str, object]) -> str:
    found = outcome(**call)  # type: ignore[arg-type]
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding.evidence


def uphill(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return -nn.functional.cross_entropy(outputs, labels)


def overwritten() -> nn.Module:
    class Doubles(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(x).mul_(2)

    return nn.Sequential(*small(), Doubles())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (tried(small(), lr=1e4), "the loss rose from"),
        (tried(small(), lr=1e-12), "no weight changed at all"),
        (tried(small(), lr=3e-7), "less than the rounding"),
        (tried(small(), loss=uphill), "became less likely"),
        (tried(overwritten()), "The backward pass fails: one of the variables needed"),
    ],
)
def test_tells_what_happened(call: dict[str, object], words: str) -> None:
    assert words in evidence(call)


def test_stays_silent_where_the_loss_falls() -> None:
    assert outcome(**tried(small())) == Checked()  # type: ignore[arg-type]


def test_model_optimizer_and_chance_are_left_as_found() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3), *small(), nn.Dropout(0.5)).train()
    call = tried(net, momentum=0.9)
    optimizer = call["optimizer"]
    assert isinstance(optimizer, torch.optim.Optimizer)
    nn.functional.cross_entropy(net(BATCH), CLASSES).backward()
    optimizer.step()
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = [
        parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None
    ]
    momenta = [state["momentum_buffer"].clone() for state in optimizer.state.values()]
    chance = torch.get_rng_state()
    lint(net, **{key: value for key, value in call.items() if key != "net"})  # type: ignore[arg-type]
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert all(
        torch.equal(found, kept)
        for found, kept in zip((p.grad for p in net.parameters()), gradients, strict=True)
    )
    assert all(
        torch.equal(state["momentum_buffer"], kept)
        for state, kept in zip(optimizer.state.values(), momenta, strict=True)
    )
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(module.training for module in net.modules())


def test_not_applicable_without_optimizer_or_labels() -> None:
    assert isinstance(outcome(small(), batch=BATCH, labels=CLASSES), NotApplicable)
    call = tried(small()) | {"labels": None}
    assert isinstance(outcome(**call), NotApplicable)  # type: ignore[arg-type]


def test_answers_that_depend_on_chance_alone() -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(torch.rand_like(images))

    assert severities(**tried(Deaf())) == ["error"]  # type: ignore[arg-type]
