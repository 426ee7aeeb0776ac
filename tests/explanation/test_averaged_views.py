"""A run with several views: its logits and its maps are means over turned images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.explanation import explain
from foveal.explanation.averaged_views import AveragedViews, average_maps, tempered, turn_batch
from foveal.images import VIEWS, View
from foveal.images.views import turn

PAIR: tuple[View, ...] = ("identity", "rot90")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    ).eval()


@pytest.mark.parametrize("view", VIEWS)
def test_a_batch_is_turned_as_one_image_is(view: View) -> None:
    pixels = np.random.default_rng(0).random((5, 5, 3), np.float32)
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    turned = turn_batch(batch, view)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(turned, turn(pixels, view))


def test_the_averaged_map_adds_up_to_the_averaged_logit(network: nn.Module) -> None:
    images = torch.rand(1, 3, 16, 16)
    by_view = [explain(network, turn_batch(images, view), classes=1)[0][0] for view in PAIR]
    averaged = average_maps(by_view, PAIR)
    assert averaged.signed is not None
    assert averaged.bias is not None
    with torch.no_grad():
        logit = float(AveragedViews(network, PAIR)(images)[0, 1])
    assert float(averaged.signed.mean()) + averaged.bias == pytest.approx(logit, abs=1e-5)


def test_maps_are_turned_back_before_they_are_averaged(network: nn.Module) -> None:
    images = torch.zeros(1, 3, 16, 16)
    images[:, :, 10:, :4] = 3.0  # lower left
    by_view = [explain(network, turn_batch(images, view), classes=0)[0][0] for view in VIEWS]
    averaged = average_maps(by_view, VIEWS)
    assert averaged.signed is not None
    changed = np.abs(averaged.signed - np.median(averaged.signed))
    row, column = np.unravel_index(changed.argmax(), changed.shape)
    assert row >= 4
    assert column <= 3


def test_a_tempered_map_adds_up_to_the_tempered_logit(network: nn.Module) -> None:
    (one,) = explain(network, torch.rand(1, 3, 16, 16), classes=2)[0]
    cool = tempered(one, 2.0)
    assert cool.signed is not None
    assert cool.bias is not None
    assert float(cool.signed.mean()) + cool.bias == pytest.approx(one.logit / 2.0, abs=1e-5)
