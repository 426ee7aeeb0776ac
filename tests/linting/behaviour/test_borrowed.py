"""Rules on behaviour and training leave model, batch and chance as they were, errors included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveal.linting import Undetermined, lint


def snapshot(net: nn.Module) -> dict[str, Any]:
    return {
        "values": {name: value.clone() for name, value in net.state_dict().items()},
        "modes": [module.training for module in net.modules()],
        "hooks": [
            (len(module._forward_hooks), len(module._forward_pre_hooks)) for module in net.modules()
        ],
        "needs": [parameter.requires_grad for parameter in net.parameters()],
        "grads": [parameter.grad for parameter in net.parameters()],
        "chance": torch.get_rng_state(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in ("modes", "hooks", "needs"):
        assert before[key] == after[key]
    for name, value in before["values"].items():
        assert torch.equal(value, after["values"][name]), name
    assert all(new is old for new, old in zip(after["grads"], before["grads"], strict=True))
    assert torch.equal(before["chance"], after["chance"])


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_all_rules_leave_everything_as_found(
    net: nn.Sequential, batch: torch.Tensor, mode: str
) -> None:
    net.insert(8, nn.Dropout(0.5))
    net(batch).sum().backward()
    net[0].requires_grad_(False)
    net.train(mode == "train")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    given, before = batch.clone(), snapshot(net)
    gradients = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    lint(net, batch=batch, select=["behaviour"])
    lint(net, batch=batch, optimizer=optimizer, select=["behaviour", "training"])
    assert_same(before, snapshot(net))
    assert torch.equal(batch, given)
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        assert parameter.grad is gradient or torch.equal(parameter.grad, gradient)  # type: ignore[arg-type]


def test_a_network_that_raises_comes_back_too(net: nn.Sequential, batch: torch.Tensor) -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no such device")

    broken = nn.Sequential(*net, Fails()).train()
    before = snapshot(broken)
    report = lint(broken, batch=batch, select=["behaviour"])
    assert_same(before, snapshot(broken))
    for code in ("B301", "B303", "B304", "B305", "B306"):
        outcome = report.outcomes[code]
        assert isinstance(outcome, Undetermined)
        assert "no such device" in outcome.reason


def test_an_in_place_first_layer_does_not_reach_the_batch(batch: torch.Tensor) -> None:
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    given = batch.clone()
    lint(net, batch=batch, select=["behaviour"])
    assert torch.equal(batch, given)
