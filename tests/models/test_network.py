"""What is known of a network, and what its user states of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.models import Network, open_network


def module(channels: int = 3, **attributes: Any) -> nn.Module:
    made = nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_a_module_says_its_shape_in_its_own_words() -> None:
    assert open_network(module(input_shape=(3, 20, 30))).input_shape == (3, 20, 30)
    found = open_network(timm.create_model("resnet10t"))
    assert found.input_shape == (3, 176, 176)
    assert found.preprocessing_origin == "that timm states for these weights"
    assert found.assumptions == ()


def test_what_nobody_says_is_assumed_and_told() -> None:
    found = open_network(module())
    assert found.input_shape == (3, 224, 224)
    assert found.prepared().mean == (0.485, 0.456, 0.406)
    assert [one.split(",")[-1].strip() for one in found.assumptions] == [
        "assumed.", "assumed; --input says another."
    ]  # fmt: skip


def test_what_is_stated_wins() -> None:
    found = open_network(
        module(), input_shape=(None, 32, 48), mean=0.25, std=(0.1, 0.2, 0.3), class_names=["a\n"]
    )
    prepared = found.prepared()
    assert (prepared.height_px, prepared.width_px) == (32, 48)
    assert (prepared.mean, prepared.std) == ((0.25,) * 3, (0.1, 0.2, 0.3))
    assert found.assumptions == ()
    assert "\n" not in found.class_names[0]


def test_numbers_of_numpy_are_numbers() -> None:
    found = open_network(module(), mean=np.array([0.1, 0.2, 0.3], np.float32), std=np.float32(0.5))
    assert found.prepared().mean == pytest.approx((0.1, 0.2, 0.3))
    assert found.prepared().std == (0.5, 0.5, 0.5)


def test_stating_changes_nothing_else_and_no_network_twice() -> None:
    first = open_network(module(), mean=0.25, std=0.5)
    second = first.stating(input_shape=(3, 64, 64))
    assert first.input_shape == (3, 224, 224)
    assert second.prepared().mean == first.prepared().mean
    assert second.preprocessing_origin == "as given"
    assert second.module is first.module
    assert open_network(second) is not None
    assert open_network(second).input_shape == (3, 64, 64)


def test_a_network_in_grey_has_one_mean_for_all_channels() -> None:
    found = open_network(module(1), mean=0.3)
    assert found.channels == 1
    assert found.prepared().mean == (0.3, 0.3, 0.3)
    assert found.assumes_normalisation  # of the standard deviation nobody said anything
    assert not open_network(module(1), mean=0.3, std=0.2).assumes_normalisation


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_other_numbers_of_channels_have_no_preprocessing(channels: int) -> None:
    found = open_network(module(channels))
    assert found.preprocessing is None
    with pytest.raises(UsageError, match=f"in colour or in grey, and Sequential takes {channels}"):
        found.prepared()


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"mean": (1, 2)}, r"mean: got \(1, 2\), expected one number or three"),
        ({"std": 0}, "std: got 0, expected one number or three"),
        ({"std": (0.1, -1, 0.1)}, "above 0"),
        ({"mean": float("nan")}, "mean: got nan"),
        ({"mean": "0.5"}, "mean: got 0.5, expected"),
    ],
)
def test_numbers_that_cannot_be_are_refused(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_network(module(), **stated)


@pytest.mark.parametrize(
    "config",
    [{"mean": (0.5,), "std": (0.5,)}, {"mean": "x", "std": 1}, {"mean": (0, 0, 0), "std": 3 * [0]}],
)
def test_a_configuration_that_cannot_be_is_told_when_images_are_fed(config: Any) -> None:
    found = open_network(module(pretrained_cfg=config))
    assert found.preprocessing is None
    with pytest.raises(UsageError, match="How Sequential wants its images is unknown"):
        found.prepared()
    assert found.stating(mean=0.5, std=0.5).prepared().mean == (0.5, 0.5, 0.5)


def test_a_network_without_weights_says_so() -> None:
    assert open_network(module()).has_weights
    with torch.device("meta"):
        assert not open_network(module()).has_weights


def test_what_is_no_model_is_refused() -> None:
    for wrong in (3, None, ["resnet18"]):
        with pytest.raises(UsageError, match="expected a name, path or module"):
            open_network(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="it has its own"):
        open_network(module(), weights="random")


def test_it_is_frozen_and_short() -> None:
    found = open_network(module())
    with pytest.raises(AttributeError):
        found.name = "other"  # type: ignore[misc]
    assert isinstance(found, Network)
    assert "Conv2d" not in repr(found)
