from __future__ import annotations

import numpy as np
import pytest

from foveal.dataset.alignment import remainders, standardise

PLACES = np.arange(32, dtype=np.float64)


def wave(*, shift: float = 0.0, stretch: float = 1.0) -> np.ndarray:
    """A smooth picture sampled at moved places; no interpolation is involved."""
    x = (PLACES - 15.5) * stretch + 15.5 + shift
    y = PLACES
    levels = (
        np.sin(2 * np.pi * x[None, :] / 16)
        + np.cos(2 * np.pi * y[:, None] / 11)
        + np.sin(2 * np.pi * (x[None, :] + 2 * y[:, None]) / 23)
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


def test_the_second_fit_only_improves_on_the_first():
    first, second = standardise(wave()), standardise(wave(shift=2.0))
    once, twice = (remainders(first, second, num_steps=n)[0] for n in (1, 2))
    assert twice < once


def test_a_negative_is_no_copy():
    assert remainders(standardise(wave()), standardise(255 - wave()))[0] == 1


def test_unrelated_pictures_leave_most_of_the_second():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 20, 32, 32)).astype(np.uint8)
    assert remainders(standardise(noise[0]), standardise(noise[1])).min() > 0.9


def test_no_pairs_have_no_remainders():
    empty = np.empty((0, 32, 32), dtype=np.float32)
    assert remainders(empty, empty).shape == (0,)
