"""Classes that turn into one another in a mirror."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.training import TrainConfig, train_classifier
from foveal.training.config import HeadChoice
from foveal.training.turned import describe_turned


def test_a_class_that_turns_into_another_is_named() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    mirrored = np.array([1] * 18 + [0] * 2 + [1] * 20)
    (said,) = describe_turned(labels, {"hflip": mirrored}, ("left", "right"))
    assert said.startswith("Of images of left, 90% look like right when they are mirrored")
    assert "--augment xray or none" in said


@pytest.mark.parametrize("turned", [0, 1, 3, 5])
def test_a_few_changed_answers_are_none_of_it(turned: int) -> None:
    labels = np.zeros(20, np.int64)
    mirrored = np.array([1] * turned + [0] * (20 - turned))
    assert describe_turned(labels, {"hflip": mirrored}, ("a", "b")) == ()


def test_too_few_images_say_nothing() -> None:
    assert describe_turned(np.zeros(4, np.int64), {"hflip": np.ones(4, np.int64)}, ("a", "b")) == ()


def test_of_several_ways_the_one_that_changes_most_is_told() -> None:
    labels = np.zeros(20, np.int64)
    some, most = np.repeat([1, 0], [8, 12]), np.repeat([1, 0], [19, 1])
    (said,) = describe_turned(labels, {"hflip": some, "rot180": most}, ("6", "9"))
    assert said.startswith("Of images of 6, 95% look like 9 when they are turned upside down")
    assert "if it matters how images are turned" in said


def _write(folder: Path, *, is_sided: bool) -> Path:
    """Stripes that rise or fall, which a mirror exchanges; or that lie or stand, which it does not.

    Pooling forgets where something is, so that left and right halves could not be told apart.
    """
    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    for name, direction in (("one", x + y if is_sided else x), ("two", x - y if is_sided else y)):
        (folder / name).mkdir(parents=True)
        for number in range(16):
            period = random.uniform(7, 10)
            wave = np.sin(2 * np.pi * direction / period + random.uniform(0, 6))
            pixels = random.normal(128 + 60 * wave, 15)
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{number:02}.png")
    return folder


def _config(weights: Path) -> TrainConfig:
    return TrainConfig(
        backbone="test_resnet",
        weights=weights,
        size_px=64,
        num_folds=2,
        backend="onnxruntime",
        fine_tune="auto",
        unfreeze="1-stage",
        budget="60s",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("is_sided", "head"), [(True, "linear"), (True, "kernel"), (False, "linear")]
)
def test_the_training_warns_where_left_and_right_are_the_classes(
    tmp_path: Path, tiny_weights: Path, is_sided: bool, head: HeadChoice
) -> None:
    config = replace(_config(tiny_weights), head=head)
    trained = train_classifier(_write(tmp_path / "data", is_sided=is_sided), config)
    (event,) = [event for event in trained.events if event["step"] == "mirrored"]
    assert bool(event["warnings"]) is is_sided


def _write_hooks(folder: Path) -> Path:
    """A ring with a stem above it, or below it: a 6 and a 9, which a half turn exchanges."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    for name, sign in (("six", 1), ("nine", -1)):
        (folder / name).mkdir(parents=True)
        for number in range(16):
            down, right = random.uniform(-3, 3, 2)
            light = sign * (y - 31.5 - down) / 20 + 0 * x
            stem = (abs(x - 31.5 - right) < 20) * np.clip(light, -1, 1)
            pixels = random.normal(128 + 90 * stem, 12)
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{number:02}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "is_told"), [("any-orientation", True), ("light", False)])
def test_what_is_turned_upside_down_is_told_where_the_policy_turns(
    tmp_path: Path, tiny_weights: Path, policy: str, is_told: bool
) -> None:
    config = replace(_config(tiny_weights), head="linear", augment=policy)
    trained = train_classifier(_write_hooks(tmp_path / "data"), config)
    (event,) = [event for event in trained.events if event["step"] == "mirrored"]
    assert bool(event["warnings"]) is is_told
