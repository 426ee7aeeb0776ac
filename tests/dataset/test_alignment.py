from __future__ import annotations

import numpy as np
import pytest

from foveal.dataset.alignment import fit, halve, remainders, standardise

PLACES = np.arange(32, dtype=np.float64)


def wave(*, shift: float = 0.0, stretch: float = 1.0, degrees: float = 0.0) -> np.ndarray:
    """A smooth image sampled at moved places; no interpolation is involved."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    across, down = PLACES[None, :] - 15.5, PLACES[:, None] - 15.5
    x = (cos * across - sin * down) * stretch + 15.5 + shift
    y = sin * across + cos * down + 15.5
    levels = (
        np.sin(2 * np.pi * x / 16)
        + np.cos(2 * np.pi * y / 11)
        + np.sin(2 * np.pi * (x + 2 * y) / 23)
    )
    return np.rint(255 * (levels + 3) / 6).astype(np.uint8)[None]


def test_standard_signatures_have_mean_0_and_mean_square_1():
    standard = standardise(wave())
    assert standard.mean() == pytest.approx(0, abs=1e-6)
    assert np.square(standard).mean() == pytest.approx(1, abs=1e-5)


def test_a_flat_signature_stays_0():
    assert not standardise(np.full((1, 32, 32), 7, dtype=np.uint8)).any()


def test_nothing_remains_of_a_picture_laid_over_itself():
    standard = standardise(wave())
    assert remainders(standard, standard)[0] < 1e-4


def test_brightness_and_contrast_leave_nothing():
    dim = (wave() * 0.4 + 60).astype(np.uint8)
    assert remainders(standardise(wave()), standardise(dim))[0] < 1e-3


@pytest.mark.parametrize("shift", [-1.5, -0.4, 0.7, 1.5])
def test_a_shift_of_up_to_one_and_a_half_pixels_leaves_next_to_nothing(shift):
    first, second = standardise(wave()), standardise(wave(shift=shift))
    apart = np.square(first - second).mean()
    assert remainders(first, second)[0] < 0.01 < apart


@pytest.mark.parametrize("stretch", [0.96, 1.04])
def test_a_stretch_of_4_percent_leaves_next_to_nothing(stretch):
    first, second = standardise(wave()), standardise(wave(stretch=stretch))
    assert remainders(first, second)[0] < 0.01


@pytest.mark.parametrize("degrees", [-8, -3, 3, 8])
def test_a_rotation_leaves_next_to_nothing(degrees):
    first, second = standardise(wave()), standardise(wave(degrees=degrees))
    apart = np.square(first - second).mean()
    assert remainders(first, second)[0] < 0.01 < apart


def test_a_step_from_where_the_one_before_leads_only_improves_on_it():
    first, second = standardise(wave()), standardise(wave(shift=2.0))
    once, move = fit(first, second)
    twice, _ = fit(first, second, start=move)
    assert twice[0] < once[0]


def test_half_the_size_is_the_mean_of_four_pixels():
    pictures = np.arange(32, dtype=np.float32).reshape(2, 4, 4)
    assert halve(pictures)[0, 0].tolist() == [(0 + 1 + 4 + 5) / 4, (2 + 3 + 6 + 7) / 4]


def test_a_negative_is_no_copy():
    assert remainders(standardise(wave()), standardise(255 - wave()))[0] == 1


def test_unrelated_pictures_leave_most_of_the_second():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 20, 32, 32)).astype(np.uint8)
    assert remainders(standardise(noise[0]), standardise(noise[1])).min() > 0.9


def test_no_pairs_have_no_remainders():
    empty = np.empty((0, 32, 32), dtype=np.float32)
    assert remainders(empty, empty).shape == (0,)
