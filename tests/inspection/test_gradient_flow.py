"""Gradients by depth, against chains whose gradient is known."""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.inspection import gradient_flow
from foveal.inspection.gradient_flow import log_slope


class Scaled(nn.Module):
    """y = w x, or x + w x with a shortcut, for every element."""

    def __init__(self, weight: float, shortcut: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.conv.weight, weight)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


def chain(weight: float, *, shortcut: bool, depth: int = 10) -> nn.Sequential:
    return nn.Sequential(*(Scaled(weight, shortcut) for _ in range(depth)))


# By hand: L = sum of the last map, so ∂L/∂(map l) is w^(L - l), or (1 + w)^(L - l).
@pytest.mark.parametrize(("shortcut", "factor"), [(False, 0.5), (True, 1.5)])
def test_a_linear_chain_multiplies_by_its_weight(shortcut: bool, factor: float) -> None:
    flow = gradient_flow(
        chain(0.5, shortcut=shortcut), torch.ones(2, 1, 4, 4), loss=lambda output: output.sum()
    )
    expected = [factor ** (10 - layer) for layer in range(1, 11)]
    # The last block's result is the output, and no cut point.
    assert [item.rms for item in flow.activations] == pytest.approx(expected[:9])
    assert flow.factor_per_layer == pytest.approx(factor)
    assert flow.log_slope == pytest.approx(-math.log(factor))
    assert flow.ratio == pytest.approx(factor**8)


# By hand: the input of layer l is w^(l-1), so ∂L/∂w_l = 32 w^(L - l) w^(l - 1) = 32 w^(L - 1).
def test_the_gradient_of_each_weight_by_hand() -> None:
    flow = gradient_flow(
        chain(0.5, shortcut=False, depth=6), torch.ones(2, 1, 4, 4), loss=lambda out: out.sum()
    )
    assert [item.rms for item in flow.weights] == pytest.approx([32 * 0.5**5] * 6)
    assert [item.relative_norm for item in flow.weights] == pytest.approx([64 * 0.5**5] * 6)
    assert flow.weight_ratio == pytest.approx(1)


class Block(nn.Module):
    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.conv2(self.conv1(x).relu())
        return (x + inner if self.shortcut else inner).relu()


def stack(*, shortcut: bool) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        *(Block(8, shortcut) for _ in range(15)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


# TOPICS 6 and 24: the same layers, thirty-one deep, with PyTorch's own start.
def test_shortcuts_keep_alive_what_vanishes_without_them() -> None:
    images = torch.randn(4, 3, 12, 12)
    plain, residual = (
        gradient_flow(stack(shortcut=shortcut), images) for shortcut in (False, True)
    )
    assert plain.ratio is not None
    assert residual.ratio is not None
    assert plain.ratio < 1e-6
    assert 0.1 < residual.ratio < 10


def test_blocks_come_in_the_order_they_run() -> None:
    flow = gradient_flow(stack(shortcut=True), torch.randn(2, 3, 12, 12))
    assert [item.name for item in flow.activations[:3]] == ["0", "1", "2"]


def test_layers_are_the_ones_with_weights() -> None:
    flow = gradient_flow(stack(shortcut=True), torch.randn(2, 3, 12, 12), at="layers")
    names = [item.name for item in flow.activations]
    assert names == [item.name for item in flow.weights]
    assert names[1:3] == ["1.conv1", "1.conv2"]


# PyTorch's own bookkeeping, with the results kept by hand.
def test_figures_are_autograds() -> None:
    net = stack(shortcut=True)
    images, labels = torch.randn(4, 3, 12, 12), torch.tensor([0, 3, 1, 1])
    flow = gradient_flow(net, images, labels=labels, at=("3",))
    x = net[:4](images)
    x.retain_grad()
    loss = nn.functional.cross_entropy(net[4:](x), labels)
    loss.backward()
    assert flow.loss == pytest.approx(float(loss.detach()))
    assert flow.activations[0].rms == pytest.approx(float(x.grad.square().mean().sqrt()))
    assert flow.weights[0].norm == pytest.approx(float(net[0].weight.grad.norm()))


def test_what_overwrites_a_result_does_not_change_its_gradient() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)]
    net = nn.Sequential(*layers)
    overwriting = nn.Sequential(layers[0], nn.ReLU(inplace=True), *layers[2:])
    images = torch.randn(2, 3, 8, 8)
    first, second = (gradient_flow(model, images, at=("0",)) for model in (net, overwriting))
    assert first.activations == second.activations


def test_the_model_is_left_as_found() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 2)
    )
    net[0].requires_grad_(False)
    net[1].eval()
    before = copy.deepcopy(net.state_dict())
    random_state = torch.get_rng_state()
    flow = gradient_flow(net, torch.randn(2, 3, 8, 8), at="layers")
    torch.set_rng_state(random_state)
    assert [item.name for item in flow.weights] == ["0", "4"]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [m.training for m in net] == [True, False, True, True, True]
    assert not net[0].weight.requires_grad
    assert all(p.grad is None for p in net.parameters())
    assert not net[0]._forward_hooks


def test_dropout_is_off_so_that_two_calls_agree() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Flatten(), nn.Linear(144, 2))
    images = torch.randn(2, 3, 8, 8)
    assert gradient_flow(net, images) == gradient_flow(net, images)


def test_batch_norm_in_training_uses_the_batch() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    images = 100 * torch.randn(4, 3, 8, 8)
    train, evaluation = (gradient_flow(net, images, mode=mode) for mode in ("train", "eval"))
    assert train.weights[0].norm < evaluation.weights[0].norm / 10


def test_a_dead_network_has_no_ratio() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    nn.init.zeros_(net[2].weight)
    assert gradient_flow(net, torch.randn(2, 3, 8, 8), at=("0",)).ratio is None


def test_the_slope_is_that_of_a_geometric_sequence() -> None:
    values = [2.0**index for index in range(6)]
    assert log_slope(values) == pytest.approx(math.log(2))
    assert log_slope(values[::-1]) == pytest.approx(-math.log(2))
    assert all(b / a == pytest.approx(math.exp(log_slope(values))) for a, b in pairwise(values))


def test_an_unknown_place_is_answered_with_near_ones() -> None:
    net, images = stack(shortcut=True), torch.randn(2, 3, 12, 12)
    with pytest.raises(UsageError, match=r"named '1.convl'.\nDid you mean .*1.conv1"):
        gradient_flow(net, images, at=("1.convl",))
    with pytest.raises(UsageError, match=r"got at='3', .*\n.*give at=\('3',\)"):
        gradient_flow(net, images, at="3")


def test_without_weights_there_is_nothing_to_measure() -> None:
    with pytest.raises(ModelError, match="built without weights"):
        gradient_flow(stack(shortcut=True).to("meta"), torch.randn(2, 3, 12, 12))
