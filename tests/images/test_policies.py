"""Every policy does what its sentence says, and no more."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from foveal.errors import UsageError
from foveal.images.augmentation import POLICIES, augment, find_policy
from foveal.images.auto_augment import AUTO_AUGMENT
from foveal.images.pixel_changes import (
    Pixels,
    equalised,
    hue_turned,
    lit,
    posterised,
    solarised,
    stretched,
)
from foveal.images.views import VIEWS

PIXELS = np.random.default_rng(3).random((3, 24, 24), np.float32)
VIEWS_SEEN = range(1, 60)


def views_of(name: str, pixels: Pixels = PIXELS) -> list[Pixels]:
    policy = find_policy(name)
    return [augment(pixels, policy, seed=0, view=view, digest="a") for view in VIEWS_SEEN]


def test_flip_shows_the_image_or_its_mirror_image_and_each_in_half_of_the_views() -> None:
    seen = [one.tobytes() for one in views_of("flip")]
    plain, mirrored = PIXELS.tobytes(), np.ascontiguousarray(PIXELS[:, :, ::-1]).tobytes()
    assert set(seen) == {plain, mirrored}
    assert 20 < seen.count(mirrored) < 40


def test_crop_moves_by_up_to_an_eighth_and_never_mirrors() -> None:
    padded = np.pad(PIXELS, ((0, 0), (3, 3), (3, 3)))
    places = {
        padded[:, top : top + 24, left : left + 24].tobytes(): (top - 3, left - 3)
        for top in range(7)
        for left in range(7)
    }
    moves = [places[one.tobytes()] for one in views_of("crop")]
    assert {down for down, _ in moves} == {right for _, right in moves} == set(range(-3, 4))


def test_rotation_turns_by_up_to_30_degrees() -> None:
    y, x = np.mgrid[:49, :49] - 24.0
    bar = np.exp(-((y / 2) ** 2) - (x / 14) ** 2).astype(np.float32)

    def angle(picture: Pixels) -> float:
        """The axis along which the light is spread out, by its second moments."""
        light = picture[0].astype(np.float64)
        xx, yy, xy = (float((light * one).sum()) for one in (x * x, y * y, x * y))
        return float(np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)))

    angles = [angle(one) for one in views_of("rotation", np.stack([bar] * 3))]
    assert max(map(abs, angles)) < 30.5
    assert min(angles) < -25
    assert max(angles) > 25


def test_jitter_changes_light_and_colour_and_moves_nothing() -> None:
    grey = np.full((3, 8, 8), 0.5, np.float32)
    factors = [float(one.mean()) / 0.5 for one in views_of("jitter", grey)]
    assert 0.6 <= min(factors) < 0.7
    assert 1.3 < max(factors) <= 1.4
    coloured = np.ones((3, 8, 8), np.float32) * np.array([0.6, 0.3, 0.3], np.float32)[:, None, None]
    hues = [colorsys.rgb_to_hsv(*one[:, 0, 0].tolist())[0] for one in views_of("jitter", coloured)]
    around = [(hue + 0.5) % 1 - 0.5 for hue in hues]
    assert -0.1001 <= min(around) < -0.05 < 0.05 < max(around) <= 0.1001
    assert all(np.ptp(one, axis=(1, 2)).max() < 1e-6 for one in views_of("jitter", coloured))


def boxes(name: str) -> list[tuple[int, int]]:
    found = []
    for one in views_of(name):
        changed = (one != PIXELS).any(0)
        if not changed.any():
            found.append((0, 0))
            continue
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = one[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (box == 0.5).all()
        found.append((len(rows), len(columns)))
    return found


def test_cutout_hides_a_square_of_half_the_side_that_may_reach_over_the_edge() -> None:
    found = boxes("cutout")
    assert max(max(one) for one in found) == 12
    assert min(min(one) for one in found) in range(5, 9)
    assert (12, 12) in found


def test_erasing_hides_2_to_20_percent_in_half_of_the_views() -> None:
    found = boxes("erasing")
    shares = [rows * columns / 576 for rows, columns in found if rows]
    assert 20 < len(shares) < 40
    assert 0.015 < min(shares) < 0.06
    assert 0.12 < max(shares) < 0.215


def test_the_table_of_auto_augment_is_the_published_one() -> None:
    published = v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET)._policies
    assert list(AUTO_AUGMENT) == published


def test_changes_of_levels_are_those_of_torchvision() -> None:
    tensor = torch.from_numpy(PIXELS)
    np.testing.assert_array_equal(solarised(PIXELS, 0.6), functional.solarize(tensor, 0.6))
    grey = tensor[:1]  # torchvision stretches and equalises every channel by itself
    np.testing.assert_allclose(stretched(PIXELS[:1]), functional.autocontrast(grey), atol=1e-6)
    large = np.random.default_rng(4).random((1, 400, 400), np.float32)
    byte = (torch.from_numpy(large) * 255).to(torch.uint8)
    theirs = functional.equalize(byte).numpy() / 255
    np.testing.assert_allclose(equalised(byte.numpy() / np.float32(255)), theirs, atol=2.5 / 255)
    np.testing.assert_allclose(
        np.clip(lit(PIXELS, 1.3), 0, 1), functional.adjust_brightness(tensor, 1.3), atol=1e-6
    )
    bits = functional.posterize(byte, 3).numpy()
    ours = posterised(byte.numpy() / np.float32(256), 3)
    np.testing.assert_allclose(ours, (bits >> 5) / 7, atol=1e-6)  # their levels, spread to 0 … 1


@settings(max_examples=60)
@given(colour=st.tuples(*(st.floats(0, 1, width=32),) * 3), turns=st.floats(-1, 1, allow_nan=False))
def test_hues_turn_as_colorsys_turns_them(colour: tuple[float, float, float], turns: float) -> None:
    found = hue_turned(np.array(colour, np.float32)[:, None, None], turns)[:, 0, 0]
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    expected = colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_joined_policies_change_one_after_the_other() -> None:
    joined = find_policy("flip + cutout+cutmix")
    assert joined.name == "flip+cutout+cutmix"
    assert (joined.turns, joined.mixings) == (("hflip",), ("cutmix",))
    assert joined.description.startswith("Half of the views are mirrored left to right. A square")
    for one in views_of("flip+cutout"):
        kept = (one != 0.5).all(0)
        assert any(
            (one[:, kept] == source[:, kept]).all() for source in (PIXELS, PIXELS[:, :, ::-1])
        )


@pytest.mark.parametrize("name", ["flip+", "+", "flip+cutoff", "flip,cutout", ""])
def test_a_wrong_part_of_joined_policies_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="There is no augmentation named"):
        find_policy(name)


def test_what_mirrors_or_turns_is_told_and_so_is_what_may_change_a_class() -> None:
    turns = {policy.name: policy.turns for policy in POLICIES if policy.turns}
    sideways = ("hflip",)
    assert turns == {
        "light": sideways,
        "any-orientation": VIEWS[1:],
        "strong": sideways,
        "padded-crop": sideways,
        "flip": sideways,
    }
    risky = [policy.name for policy in POLICIES if policy.risk]
    assert risky == [
        "strong",
        "jitter",
        "rotation",
        "cutout",
        "erasing",
        "auto-augment",
        "trivial-augment",
        "cutmix",
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (7, 1), (2, 3)], ids=lambda shape: f"{shape[0]}x{shape[1]}"
)
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_tiny_and_empty_looking_images_stay_images(
    policy: object, shape: tuple[int, int], level: float
) -> None:
    pixels = np.full((3, *shape), level, np.float32)
    for view in range(1, 9):
        seen = augment(pixels, policy, seed=0, view=view, digest="a")  # type: ignore[arg-type]
        assert seen.shape == pixels.shape
        assert np.isfinite(seen).all()
        assert 0 <= seen.min() <= seen.max() <= 1
