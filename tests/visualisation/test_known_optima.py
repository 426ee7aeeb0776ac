"""Networks of which it is known by hand what excites them most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.visualisation import (
    Ascent,
    Channel,
    ClassLogit,
    Direction,
    Robustness,
    maximise,
    maximise_each,
)

STILL = Robustness.none()
# Colours without regard to nature, until they are as pure as they can be.
PURE = Ascent(size_px=16, num_steps=150, colour_decay=0, decay=2)


def _filter(weight: torch.Tensor) -> nn.Sequential:
    """One convolution with one kernel [C, h, w] and nothing else."""
    conv = nn.Conv2d(len(weight), 1, weight.shape[1], padding=weight.shape[1] // 2, bias=False)
    conv.weight = nn.Parameter(weight[None])
    return nn.Sequential(conv)


def _window(image, side: int) -> np.ndarray:
    """What the unit in the centre sees."""
    top, left = image.shape[1] // 2 - side // 2, image.shape[2] // 2 - side // 2
    return image[:, top : top + side, left : left + side]


def _mix(*rows: tuple[float, ...]) -> nn.Sequential:
    """Channels that are weighted sums of red, green and blue, pixel by pixel."""
    conv = nn.Conv2d(3, len(rows), 1, bias=False)
    conv.weight = nn.Parameter(torch.tensor(rows, dtype=torch.float32)[:, :, None, None])
    return nn.Sequential(conv)


# In 0..1 the sum of w·x is largest where x is 1 wherever w is positive, and 0 elsewhere.
@pytest.mark.parametrize("sign", ["most", "least"])
def test_an_edge_filter_gives_its_edge(sign):
    edge = torch.ones(1, 7, 7)
    edge[..., 3:] = -1
    ascent = Ascent(size_px=25, num_steps=100, robustness=STILL)
    found = maximise(_filter(edge), Channel("0", 0, "centre", sign), ascent=ascent)
    correlation = np.corrcoef(_window(found.image, 7).ravel(), edge.numpy().ravel())[0, 1]
    assert correlation * {"most": 1, "least": -1}[sign] > 0.95


def test_where_all_waves_are_alike_any_filter_gives_its_signs():
    weight = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(0))
    ascent = Ascent(
        size_px=16,
        num_steps=300,
        decay=0,
        robustness=STILL,
        colour_decay=0,
    )
    found = maximise(_filter(weight), Channel("0", 0, "centre"), ascent=ascent)
    assert np.array_equal(_window(found.image, 5) > 0.5, weight.numpy() > 0)
    assert found.last == pytest.approx(float(weight.clamp_min(0).sum()), rel=0.01)


# A cosine of period 4 answers to 32 / 4 = 8 waves across, and nearly as well to 7 and 9.
def test_a_grating_filter_gives_its_grating():
    phase = 2 * np.pi * torch.arange(9) / 4
    weight = phase.cos().expand(1, 9, 9).contiguous()
    ascent = Ascent(size_px=32, decay=0, robustness=STILL)
    found = maximise(_filter(weight), Channel("0", 0), ascent=ascent)
    power = abs(np.fft.rfft2(found.image[0] - found.image[0].mean())) ** 2
    row, column = np.unravel_index(power.argmax(), power.shape)
    assert row == 0
    assert 7 <= column <= 9


@pytest.mark.parametrize(
    ("weights", "colour"),
    [((1, -1, -1), (1, 0, 0)), ((-1, 1, -1), (0, 1, 0)), ((1, 1, -1), (1, 1, 0))],
)
def test_a_channel_of_one_colour_gives_that_colour(weights, colour):
    found = maximise(_mix(weights), Channel("0", 0), ascent=PURE)
    assert found.image.mean(axis=(1, 2)) == pytest.approx(colour, abs=0.26)


def test_a_class_that_is_the_mean_of_red_gives_red():
    model = nn.Sequential(*_mix((1, -0.5, -0.5)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = maximise(model, ClassLogit(0, "red"), ascent=PURE)
    assert found.image.mean(axis=(1, 2)) == pytest.approx([1, 0, 0], abs=0.26)


# Yellow plus magenta against cyan is red; one channel alone would leave green or blue open.
def test_a_direction_adds_channels():
    model = _mix((1, 1, -1), (1, -1, 1))
    found = maximise(model, Direction("0", (1.0, 1.0)), ascent=PURE)
    assert found.image[0].mean() > 0.75
    assert found.last > 0.75 * 2 / 2**0.5


def test_a_channel_is_a_direction_along_one_axis():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    ascent = Ascent(size_px=16, num_steps=10)
    axis = Direction("2", (0.0, 0.0, 0.0, 2.0, 0.0))
    channel, direction = maximise_each(model, [Channel("2", 3), axis], ascent=ascent)
    assert np.allclose(channel.image, direction.image, atol=1e-4)


def test_a_grey_network_gets_one_channel():
    weight = torch.tensor([[[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]])
    found = maximise(_filter(weight), Channel("0", 0, "centre"), ascent=Ascent(size_px=17))
    assert found.image.shape == (1, 17, 17)
    assert found.image[0, 8, 8] > found.image[0, 7:10, 7:10].mean() + 0.2


def test_the_value_rises():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 8, 3))
    ascent = Ascent(size_px=24)
    found = maximise(model, Channel("2", 2), ascent=ascent)
    assert found.last > found.first + 0.01
    assert found.activations[-8:].mean() > found.activations[:8].mean()
