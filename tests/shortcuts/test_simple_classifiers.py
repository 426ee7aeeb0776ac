"""What classifiers reach that see nothing of what the images show."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from foveal.dataset import ImageRecord
from foveal.shortcuts.simple_classifiers import (
    SimpleResult,
    describe_simple,
    judge_simple_classifiers,
    reaching,
)
from foveal.shortcuts.simple_features import (
    border_of,
    colour_of,
    patterns_of,
    properties_of,
    texture_of,
)
from foveal.training import TrainConfig, train_classifier

SIDE = 64
Pixels = NDArray[np.uint8]
Plant = Callable[[Pixels], Pixels]


def scene(random: np.random.Generator) -> Pixels:
    """A noisy square at a random position on a smooth ground of its own."""
    coarse = Image.fromarray(random.uniform(20, 180, (4, 4)).astype(np.float32))
    ground = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    levels = ground[..., None] + random.normal(0, 6, (SIDE, SIDE, 3))
    top, left = random.integers(12, 32, 2)
    levels[top : top + 18, left : left + 18] += 60
    return levels.clip(0, 255).astype(np.uint8)


def bars(pixels: Pixels) -> Pixels:
    pixels[:, :12] = pixels[:, -12:] = 5
    return pixels


def cast(pixels: Pixels) -> Pixels:
    return (pixels + np.array([10, 0, -10])).clip(0, 255).astype(np.uint8)


def watermark(pixels: Pixels) -> Pixels:
    mark = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(mark)
    for y in range(0, SIDE, 14):
        draw.text((2, y), "ARCHIVE", fill=255)
    faint = 15.0 * np.asarray(mark)[..., None] / 255
    return (pixels + faint).clip(0, 255).astype(np.uint8)


def same(pixels: Pixels) -> Pixels:
    return pixels


def write(folder: Path, plant: Plant, qualities: tuple[int, int] | None = None) -> Path:
    for index, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        random = np.random.default_rng(index)
        for number in range(24):
            pixels = scene(random)
            image = Image.fromarray(plant(pixels) if index else pixels)
            if qualities is None:
                image.save(folder / name / f"{number}.png")
            else:
                image.save(folder / name / f"{number}.jpg", quality=qualities[index])
    return folder


@pytest.fixture
def reached(
    tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, float]]:
    """Trains on a set and returns the best accuracy of each family."""
    monkeypatch.setenv("FOVEAL_CACHE", str(tmp_path / "cache"))

    def find(plant: Plant, *, test_size: float | None = None, **options: tuple[int, int]):
        config = TrainConfig(
            backbone="test_resnet",
            weights=tiny_weights,
            size_px=SIDE,
            backend="torch",
            test_size=test_size,
        )
        trained = train_classifier(write(tmp_path / "data", plant, **options), config)
        results, reason = judge_simple_classifiers(trained)
        assert reason is None
        best: dict[str, float] = {}
        for one in results:
            best[one.name] = max(best.get(one.name, 0.0), one.accuracy)
        return best

    return find


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "family"), [(bars, "border"), (cast, "colour"), (watermark, "pattern")]
)
def test_what_was_planted_is_told_by_its_family_alone(reached, plant, family) -> None:
    assert reached(plant)[family] > 0.9


def test_the_quality_of_a_jpeg_is_a_property_of_the_file(reached) -> None:
    assert reached(same, qualities=(92, 70))["file"] > 0.95


def test_two_classes_that_show_the_same_are_told_by_none(reached) -> None:
    assert max(reached(same).values()) < 0.8


@pytest.mark.slow
def test_a_hold_out_is_fitted_on_what_it_does_not_judge(reached) -> None:
    assert reached(bars, test_size=0.4)["border"] > 0.9


def result(name: str, accuracy: float, **more: float) -> SimpleResult:
    given = {"margin": None, "num_images": 200, "network_accuracy": 0.95, "chance": 0.5, **more}
    return SimpleResult(name=name, accuracy=accuracy, **given)


@pytest.mark.parametrize(
    ("accuracy", "network", "num_images", "reaches"),
    [
        (0.95, 0.95, 200, True),
        (0.91, 0.95, 200, True),  # 0.41 of 0.45 above chance
        (0.85, 0.95, 200, False),
        (0.62, 0.60, 200, False),  # as good as a network that hardly tells them apart
        (0.75, 0.75, 24, False),  # too few images to say so
    ],
)
def test_reaching_is_nine_tenths_above_chance_and_sure(accuracy, network, num_images, reaches):
    one = result("colour", accuracy, network_accuracy=network, num_images=num_images)
    assert one.reaches_the_network is reaches


def test_of_several_margins_the_narrowest_is_told():
    wide, narrow = (result("border", 0.95, margin=margin) for margin in (0.25, 0.07))
    assert reaching([narrow, wide]) == (narrow,)
    assert "the outermost 7% of the image on each side reaches 95%" in describe_simple(narrow)


def test_colour_knows_no_place():
    levels = np.random.default_rng(0).random((16, 16, 3))
    moved = levels.reshape(-1, 3)[np.random.default_rng(1).permutation(256)].reshape(16, 16, 3)
    np.testing.assert_allclose(colour_of(levels), colour_of(moved))


def test_the_border_knows_nothing_of_the_inside():
    levels = np.random.default_rng(0).random((40, 40, 3))
    changed = levels.copy()
    changed[10:-10, 10:-10] = 0.0
    assert border_of(levels, 0.25) == border_of(changed, 0.25)
    np.testing.assert_allclose(texture_of(np.ones((96, 96, 3))), 0.0, atol=1e-9)


def test_a_common_pattern_is_the_first_component():
    random = np.random.default_rng(0)
    noise = random.normal(0, 1, (40, 900)).astype(np.float32)
    has_it = np.arange(40) % 2 == 0
    noise[has_it] += random.normal(0, 0.6, 900).astype(np.float32)
    first = patterns_of(noise)[:, 0]
    assert min(first[has_it]) > max(first[~has_it]) or max(first[has_it]) < min(first[~has_it])
    assert patterns_of(random.normal(0, 1, (40, 9000)).astype(np.float32)).shape[1] <= 8


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_metadata_and_quality_are_read_from_the_head(format):
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    plain, told = io.BytesIO(), io.BytesIO()
    image.save(plain, format)
    image.save(told, format, dpi=(300, 300), icc_profile=b"x" * 100)
    record = ImageRecord("a.x", width_px=8, height_px=8, format=format)
    first, second = (properties_of(record, one.getvalue()) for one in (plain, told))
    assert set(second) - set(first)


@pytest.mark.parametrize(
    "head", [b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00\xff", b"\x89PNG\r\n\x1a\n\xff"]
)
def test_a_head_that_was_cut_is_no_error(head):
    assert properties_of(ImageRecord("a", width_px=1, height_px=1), head)["width"] == 0.0
