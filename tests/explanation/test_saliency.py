from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation import input_gradients


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 5),
    )  # fmt: skip


def _images(count: int = 1) -> Tensor:
    return torch.randn(count, 3, 7, 9, generator=torch.Generator().manual_seed(1))


def test_of_a_linear_network_it_is_the_largest_weight_over_the_channels():
    weight = torch.randn(2, 3 * 4 * 4, generator=torch.Generator().manual_seed(0))
    layer = nn.Linear(48, 2, bias=False)
    layer.weight.data = weight
    model = nn.Sequential(nn.Flatten(), layer)
    ((found,),) = input_gradients(model, torch.zeros(1, 3, 4, 4), classes=1, num_samples=1)
    expected = weight[1].reshape(3, 4, 4).abs().amax(0)
    assert np.allclose(found.values, expected.numpy(), atol=1e-6)


def test_one_sample_without_noise_agrees_with_finite_differences():
    model, image = _network().double(), _images().double()
    ((found,),) = input_gradients(model, image, classes=2, num_samples=1, noise=0.0)
    step = 1e-6
    slopes = np.zeros((3, 7, 9))
    for position in np.ndindex(3, 7, 9):
        moved = image.clone()
        moved[(0, *position)] += step
        with torch.no_grad():
            slopes[position] = float(model(moved)[0, 2] - model(image)[0, 2]) / step
    assert np.allclose(found.values, np.abs(slopes).max(0), atol=1e-5)


def test_samples_are_averaged_before_their_size_is_taken():
    model, image = _network(), _images()
    ((found,),) = input_gradients(
        model, image, classes=0, num_samples=11, noise=0.2,
        generator=torch.Generator().manual_seed(5),
    )  # fmt: skip
    random = torch.Generator().manual_seed(5)
    noise = torch.cat([torch.randn((count, 3, 7, 9), generator=random) for count in (8, 3)])
    sigma = 0.2 * (image.max() - image.min())
    total = torch.zeros(3, 7, 9)
    for sample in noise:
        leaf = (image[0] + sigma * sample).requires_grad_()
        total += torch.autograd.grad(model(leaf[None])[0, 0], leaf)[0]
    assert np.allclose(found.values, (total / 11).abs().amax(0).numpy(), atol=1e-5)


def test_the_same_call_gives_the_same_map():
    ((one,),), ((other,),) = (input_gradients(_network(), _images()) for _ in range(2))
    assert np.array_equal(one.values, other.values)


def test_another_seed_gives_another_map():
    ((one,),), ((other,),) = (
        input_gradients(_network(), _images(), generator=torch.Generator().manual_seed(seed))
        for seed in (1, 2)
    )
    assert not np.array_equal(one.values, other.values)


def test_it_works_where_gradients_are_off():
    expected = input_gradients(_network(), _images())[0][0].values
    model = _network().requires_grad_(False)
    with torch.inference_mode():
        found = input_gradients(model, _images())[0][0].values
    assert np.array_equal(found, expected)


def test_a_network_that_begins_in_place_is_followed():
    model = nn.Sequential(nn.ReLU(inplace=True), *_network())
    images = _images().clamp_min(0.1)
    ((found,),) = input_gradients(model, images, num_samples=1, noise=0.0, classes=0)
    ((expected,),) = input_gradients(_network(), images, num_samples=1, noise=0.0, classes=0)
    assert np.allclose(found.values, expected.values, atol=1e-7)


def test_a_network_cut_off_from_its_input_has_a_blank_map():
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.ones(len(images), 2)

    assert input_gradients(Constant(), _images())[0][0].is_blank


def test_noise_below_zero_is_refused():
    with pytest.raises(UsageError, match="expected at least 1 and"):
        input_gradients(_network(), _images(), noise=-0.1)
