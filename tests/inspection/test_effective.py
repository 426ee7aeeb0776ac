from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.inspection import effective_receptive_field, inspect
from foveal.models.sources import open_network


def _ones(*layers: nn.Conv2d) -> nn.Sequential:
    for layer in layers:
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def _measure(model, shape, **options):
    return effective_receptive_field(model, inspect(model, shape), **options)


def test_one_convolution_of_ones_is_its_kernel():
    found = _measure(_ones(nn.Conv2d(1, 1, 5, padding=2)), (1, 21, 21))
    assert found.strength.sum() == 25
    assert found.theoretical == ((8, 12), (8, 12))
    assert found.luo_px == 5


# Luo et al., section 2.2: with weights of one the gradient is the kernel convolved with itself.
def test_stacked_ones_are_a_binomial_of_the_kernel():
    model = _ones(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(4)))
    found = _measure(model, (1, 31, 31))
    row = np.ones(1)
    for _ in range(4):
        row = np.convolve(row, np.ones(3))
    assert np.allclose(found.strength[15, 11:20], row / row.max(), atol=1e-6)


def test_the_gradient_stays_inside_the_theoretical_field():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, dilation=2, padding=2), nn.ReLU(inplace=True),
    )  # fmt: skip
    found = _measure(model, (3, 40, 56))
    rows, columns = np.nonzero(found.strength)
    (top, bottom), (left, right) = found.theoretical
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (top, bottom, left, right)


def test_it_is_smaller_than_the_theoretical_field():
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(12)))
    found = _measure(model, (4, 64, 64))
    assert found.theoretical_px == (25, 25)
    assert found.luo_px < 25


def test_parameters_get_no_gradient_and_modes_stay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    _measure(model, (3, 16, 16))
    assert all(p.grad is None for p in model.parameters())
    assert model[1].training
    assert model[1].num_batches_tracked == 0
    assert not model[0]._forward_hooks


def test_the_same_seed_gives_the_same_map():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    first, second = (_measure(model, (3, 16, 16), seed=3) for _ in range(2))
    assert np.array_equal(first.strength, second.strength)


def test_a_module_can_be_named():
    model = open_network("torchvision:resnet18", weights="random").module
    found = _measure(model, (3, 64, 64), at="layer1", num_images=1)
    assert found.op_name == "layer1.1.relu#2"
    assert found.theoretical_px == (43, 43)


class Residual(nn.Module):
    """A function, ``add``, in the middle of a module; and the same with a module in its place."""

    def __init__(self, *, has_module: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 5, padding=2)
        self.sum = Sum() if has_module else None

    def forward(self, x):
        y = self.one(x)
        y = self.sum(y, x) if self.sum is not None else y + x
        return self.two(y)


class Sum(nn.Module):
    def forward(self, one, other):
        return one + other


def test_a_function_in_the_middle_is_measured_as_a_module_would_be():
    found = _measure(Residual(has_module=False), (2, 16, 16), at="add")
    expected = _measure(Residual(has_module=True), (2, 16, 16), at="sum")
    assert np.allclose(found.strength, expected.strength)
    assert found.theoretical_px == (3, 3)


def test_a_vector_has_no_places():
    model = open_network("torchvision:resnet18", weights="random").module
    with pytest.raises(UsageError, match=r"'fc' has no map"):
        _measure(model, (3, 64, 64), at="fc")


def test_no_weights_no_measurement():
    model = open_network("torchvision:resnet18").module
    with pytest.raises(ModelError, match="built without weights"):
        _measure(model, (3, 64, 64))


def test_a_dead_network_is_told():
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    nn.init.zeros_(model[0].weight)
    with pytest.raises(ModelError, match="No gradient reaches the input"):
        _measure(model, (1, 8, 8))
