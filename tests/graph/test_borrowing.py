"""A model on loan for real passes comes back as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.graph.borrowing import fully_borrowed


def use_up(net: nn.Sequential) -> None:
    with fully_borrowed(net):
        net.train()
        net(torch.randn(2, 3, 8, 8)).sum().backward()
        net[0].weight.requires_grad_(False)
        raise RuntimeError("on purpose")


def test_running_statistics_gradients_and_modes_come_back_after_an_error() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).eval()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    gradient = net[0].weight.grad
    assert gradient is not None
    values = gradient.clone()
    with pytest.raises(RuntimeError, match="on purpose"):
        use_up(net)
    assert not net[1].training
    assert torch.equal(net[1].running_mean, torch.zeros(8))
    assert net[0].weight.requires_grad
    assert net[0].weight.grad is gradient
    assert torch.equal(gradient, values)
