from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from foveal.errors import ModelError, TraceError, UsageError
from foveal.visualisation import (
    Ascent,
    Channel,
    ClassLogit,
    Maximised,
    PixelScale,
    estimate_seconds,
    every_channel,
    maximise,
    maximise_each,
)

QUICK = Ascent(size_px=16, num_steps=6)


class Branched(nn.Module):
    """Two branches that meet, ReLUs in place, batch norm and dropout: as found in the wild."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.left = nn.Conv2d(8, 8, 3, padding=1)
        self.right = nn.Conv2d(8, 8, 1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x)
        x = functional.relu_(self.left(x).add_(self.right(x)))
        return self.fc(self.drop(x.mean((2, 3))))


@pytest.fixture
def model() -> Branched:
    torch.manual_seed(0)
    return Branched()


@pytest.mark.parametrize(
    "objective",
    [
        Channel("stem.0", 1),
        Channel("right", 2),
        Channel("left", 2),
        Channel("add", 3),
        ClassLogit(1),
    ],
)
def test_any_operation_can_be_sought(model, objective):
    found = maximise(model, objective, ascent=Ascent(size_px=16, num_steps=20))
    assert found.last > found.first
    assert found.image.shape == (3, 16, 16)


# The operation runs on what the model runs on, so its value must be the model's own.
def test_the_value_told_is_that_of_the_picture(model):
    found = maximise(model, ClassLogit(2), ascent=QUICK)
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(found.image)[None])
    assert found.last == pytest.approx(float(logits[0, 2]), abs=1e-5)


def test_the_same_seed_gives_the_same_picture(model):
    first, again = (maximise(model, ClassLogit(0), ascent=QUICK) for _ in range(2))
    assert np.array_equal(first.image, again.image)


def test_another_seed_gives_another_picture(model):
    other = Ascent(size_px=16, num_steps=6, seed=1)
    first, second = (maximise(model, ClassLogit(0), ascent=a) for a in (QUICK, other))
    assert not np.allclose(first.image, second.image, atol=0.01)


def test_a_picture_is_the_same_in_company(model):
    objectives = [*every_channel("left", range(5)), ClassLogit(3), *every_channel("right", [1])]
    together = maximise_each(model, objectives, ascent=QUICK, batch_size=3)
    for objective, found in zip(objectives, together, strict=True):
        alone = maximise(model, objective, ascent=QUICK)
        assert np.allclose(found.image, alone.image, atol=0.01)


def test_results_keep_the_order_of_the_objectives(model):
    objectives = [Channel("right", 1), Channel("left", 0), Channel("right", 0)]
    found = maximise_each(model, objectives, ascent=QUICK)
    assert [picture.objective for picture in found] == objectives


# The ReLU is shut for any picture, so only what goes into it has a gradient.
def test_a_shut_relu_is_climbed_from_below():
    layer = nn.Conv2d(3, 1, 3)
    nn.init.constant_(layer.bias, -100)
    found = maximise(nn.Sequential(layer, nn.ReLU()), Channel("1", 0), ascent=QUICK)
    assert (found.target, found.is_blank) == ("0", False)
    assert found.last > found.first


def test_a_dead_channel_says_why_its_picture_is_blank():
    layer = nn.Conv2d(3, 2, 3)
    nn.init.zeros_(layer.weight)
    found = maximise(nn.Sequential(layer), Channel("0", 1), ascent=QUICK)
    assert found.reason == "no gradient reaches the picture from '0'"


def test_a_value_that_is_no_number_is_told_with_its_step(model):
    with torch.no_grad():
        model.fc.bias[1] = float("nan")
    with pytest.raises(ModelError, match="most logit of class 1 is nan at step 0, expected a fin"):
        maximise(model, ClassLogit(1), ascent=QUICK)


def test_progress_counts_all_steps(model):
    seen: list[tuple[int, int]] = []
    objectives = [*every_channel("left", range(3)), ClassLogit(0)]
    maximise_each(
        model, objectives, ascent=QUICK, batch_size=2, progress=lambda *step: seen.append(step)
    )
    assert seen == [(step, 18) for step in range(1, 19)]


def test_the_scale_is_what_the_network_is_given():
    model = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.ones_(model[0].weight)
    found = maximise(model, ClassLogit(0), ascent=QUICK, scale=PixelScale((0.5,), (0.25,)))
    assert found.last == pytest.approx(float(((found.image - 0.5) / 0.25).mean() * 3), abs=1e-4)


def test_a_timm_network_names_its_own_scale(load_random):
    backbone = load_random("test_resnet")
    found = maximise(backbone.network, Channel("layer1", 0), ascent=Ascent(size_px=32, num_steps=1))
    assert found.scale.mean == tuple(backbone.pretrained_config["mean"])
    assert found.scale.origin == "the model's pretrained_cfg"


def test_a_scale_of_other_channels_is_refused(model):
    grey = nn.Sequential(nn.Conv2d(1, 2, 3))
    with pytest.raises(UsageError, match="of 3 channels, expected 1"):
        maximise(grey, Channel("0", 0), scale=PixelScale((0.5,) * 3, (0.5,) * 3))


def test_a_model_without_weights_is_refused():
    with torch.device("meta"):
        empty = nn.Sequential(nn.Conv2d(3, 2, 3))
    with pytest.raises(ModelError, match="built without weights"):
        maximise(empty, Channel("0", 0))


def test_bfloat16_weights_are_climbed_in_float32(model):
    found = maximise(model.bfloat16(), ClassLogit(0), ascent=Ascent(size_px=16, num_steps=20))
    assert found.image.dtype == np.float32
    assert found.last > found.first


def test_a_size_that_the_network_refuses_is_told_with_the_layer():
    fixed = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(4 * 32 * 32, 2))
    with pytest.raises(TraceError, match=r"layer '2'(.|\n)*It does work on 3 x 64 x 64"):
        maximise(fixed, ClassLogit(0), ascent=QUICK)


def test_no_objective_is_an_error(model):
    with pytest.raises(UsageError, match="got no objective"):
        maximise_each(model, [])


def test_the_estimate_is_a_positive_number_of_seconds(model):
    objectives = every_channel("left", range(3))
    assert 0 < estimate_seconds(model, objectives, ascent=QUICK) < 60


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size_px": 3}, "got size_px=3, expected whole numbers of at least 4"),
        ({"size_px": (32, 2.5)}, r"size_px=\(32, 2\.5\)"),
        ({"num_steps": 0}, "got num_steps=0, expected a positive whole number"),
        ({"step_size": float("inf")}, "got step_size=inf, expected a finite number above 0"),
        ({"contrast": 0}, "got contrast=0, expected a finite number above 0"),
        ({"decay": -1}, "got decay=-1, expected a number from 0 to 4"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        Ascent(**settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PixelScale((0.5,), (0.0,)), "those of std above 0"),
        (lambda: PixelScale((0.5, 0.5), (1.0,)), "as many finite numbers in each"),
        (lambda: PixelScale.for_range(1, 1), "from 1 to 1, expected the smaller first"),
    ],
)
def test_a_scale_that_is_none_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_a_range_is_a_scale():
    black_and_white = PixelScale.for_range(-3, 5).apply(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2))
    assert black_and_white.flatten().tolist() == pytest.approx([-3, 5])


def test_oblong_pictures_are_possible(model):
    found: Maximised = maximise(model, ClassLogit(0), ascent=Ascent(size_px=(12, 20), num_steps=2))
    assert found.image.shape == (3, 12, 20)
