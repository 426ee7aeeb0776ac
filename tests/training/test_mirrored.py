"""Classes that turn into one another in a mirror."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.training import TrainConfig, train_classifier
from foveal.training.config import HeadChoice
from foveal.training.mirrored import describe_mirrored


def test_a_class_that_turns_into_another_is_named() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    mirrored = np.array([1] * 18 + [0] * 2 + [1] * 20)
    (said,) = describe_mirrored(labels, mirrored, ("left", "right"))
    assert said.startswith("Of images of left, 90% look like right when they are mirrored")
    assert "--augment xray or none" in said


@pytest.mark.parametrize("turned", [0, 1, 3, 5])
def test_a_few_changed_answers_are_none_of_it(turned: int) -> None:
    labels = np.zeros(20, np.int64)
    mirrored = np.array([1] * turned + [0] * (20 - turned))
    assert describe_mirrored(labels, mirrored, ("a", "b")) == ()


def test_too_few_images_say_nothing() -> None:
    assert describe_mirrored(np.zeros(4, np.int64), np.ones(4, np.int64), ("a", "b")) == ()


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("is_sided", "head"), [(True, "linear"), (True, "kernel"), (False, "linear")]
)
def test_the_training_warns_where_left_and_right_are_the_classes(
    tmp_path: Path, tiny_weights: Path, is_sided: bool, head: HeadChoice
) -> None:
    config = TrainConfig(
        backbone="test_resnet",
        weights=tiny_weights,
        size_px=64,
        num_folds=2,
        backend="onnxruntime",
        fine_tune="auto",
        unfreeze="1-stage",
        budget="60s",
        head=head,
    )
    trained = train_classifier(_write(tmp_path / "data", is_sided=is_sided), config)
    (event,) = [event for event in trained.events if event["step"] == "mirrored"]
    assert bool(event["warnings"]) is is_sided
