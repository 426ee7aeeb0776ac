"""Dense convolutions made depthwise separable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.arithmetic import convolution_parameters
from foveal.errors import ModelError, UsageError
from foveal.models.surgery import separable_share, separate


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def dense(num_in: int = 6, num_out: int = 5, **settings: object) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(num_in, num_out, 3, **settings))  # type: ignore[arg-type]


def as_dense(layer: nn.Module) -> torch.Tensor:
    """The dense kernel that depthwise and pointwise make together."""
    return layer.pointwise.weight * layer.depthwise.weight.transpose(0, 1)


def test_a_separable_kernel_is_reproduced() -> None:
    net = dense(stride=2, padding=2, dilation=2)
    filters, mixing = torch.randn(1, 6, 3, 3), torch.randn(5, 6, 1, 1)
    net[0].weight.data = mixing * filters
    x = torch.randn(2, 6, 17, 21)
    torch.testing.assert_close(separate(net, ["0"])(x), net(x), rtol=1e-5, atol=1e-5)


def test_in_general_outputs_are_not_preserved() -> None:
    net = dense()
    x = torch.randn(2, 6, 9, 9)
    assert not torch.allclose(separate(net, ["0"])(x), net(x), atol=1e-2)


# NumPy's decomposition, one input channel at a time.
def test_the_start_is_the_nearest_of_rank_one() -> None:
    net = dense()
    found = as_dense(separate(net, ["0"])[0]).detach().numpy()
    weight = net[0].weight.detach().numpy()
    for channel in range(6):
        left, values, right = np.linalg.svd(weight[:, channel].reshape(5, 9), full_matrices=False)
        nearest = values[0] * np.outer(left[:, 0], right[0])
        np.testing.assert_allclose(found[:, channel].reshape(5, 9), nearest, atol=1e-6)


def test_its_squared_error_is_what_the_share_leaves() -> None:
    net = dense()
    weight = net[0].weight
    left_over = (as_dense(separate(net, ["0"])[0]) - weight).square().sum() / weight.square().sum()
    assert 1 - separable_share(weight) == pytest.approx(left_over.item(), abs=1e-6)


# No other separable kernel is nearer: gradient descent from elsewhere ends no lower.
def test_descent_finds_nothing_nearer() -> None:
    net = dense()
    weight = net[0].weight.detach()
    best = (as_dense(separate(net, ["0"])[0]) - weight).square().sum().item()
    other = separate(net, ["0"], initialise="random", seed=3)[0]
    optimizer = torch.optim.Adam([other.depthwise.weight, other.pointwise.weight], lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (as_dense(other) - weight).square().sum()
        loss.backward()
        optimizer.step()
    assert loss.item() >= best - 1e-5


# TOPICS 9: 256 to 256 channels, 3 × 3: a ratio of 1/256 + 1/9.
def test_the_parameter_arithmetic() -> None:
    with torch.device("meta"):
        net = nn.Sequential(nn.Conv2d(256, 256, 3, bias=False))
    changed = separate(net)
    depthwise = convolution_parameters(256, 256, kernel=(3, 3), groups=256, bias=False)
    pointwise = convolution_parameters(256, 256, kernel=(1, 1), bias=False)
    assert count(changed) == depthwise + pointwise == 256 * 9 + 256 * 256
    assert count(changed) / count(net) == pytest.approx(1 / 256 + 1 / 9)


@pytest.mark.parametrize("initialise", ["svd", "random"])
@pytest.mark.parametrize(
    "settings",
    [
        {"stride": 2, "padding": 1},
        {"padding": "same", "dilation": 2},
        {"padding": 1, "padding_mode": "reflect", "bias": False},
    ],
    ids=str,
)
def test_shapes_are_preserved(initialise, settings) -> None:
    net = dense(**settings)
    changed = separate(net, ["0"], initialise=initialise)
    x = torch.randn(2, 6, 17, 22)
    assert changed(x).shape == net(x).shape
    assert (changed[0].pointwise.bias is None) == (net[0].bias is None)


def test_by_default_every_layer_that_gets_smaller_is_changed(resnet) -> None:
    changed = separate(resnet)
    assert type(changed.block1.conv1).__name__ == "DepthwiseSeparable"
    assert type(changed.block2[0].shortcut) is nn.Conv2d
    assert count(changed) < count(resnet)


def test_a_layer_that_would_grow_is_left() -> None:
    net = nn.Sequential(nn.Conv2d(8, 1, 3))
    assert type(separate(net)[0]) is nn.Conv2d
    assert type(separate(net, ["0"])[0]).__name__ == "DepthwiseSeparable"


def test_a_layer_in_two_places_is_replaced_in_both() -> None:
    layer = nn.Conv2d(6, 6, 3, padding=1)
    changed = separate(nn.Sequential(layer, nn.ReLU(), layer))
    assert changed[0] is changed[2]


def test_what_is_no_dense_convolution_is_refused(resnet) -> None:
    with pytest.raises(UsageError, match="'fc' is no dense 2-D convolution"):
        separate(resnet, ["fc"])
    with pytest.raises(
        UsageError, match=r"no module named 'block1.convl'.\nDid you mean .*block1.conv1"
    ):
        separate(resnet, ["block1.convl"])
    with pytest.raises(UsageError, match="initialise is 'zeros'"):
        separate(resnet, initialise="zeros")


def test_a_kernel_of_zeros_has_no_share() -> None:
    with pytest.raises(ModelError, match="no singular values to compare"):
        separable_share(torch.zeros(2, 2, 3, 3))
