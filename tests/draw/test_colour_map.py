"""The colours rise evenly, survive colour blindness, and leave the image its brightness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from foveal.draw.colour_map import (
    decode,
    encode,
    from_oklab,
    heat_colours,
    lightness,
    luminance,
    overlay,
    path,
    shown_luminance,
    to_oklab,
)

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear light.
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
STEPS = np.linspace(0.0, 1.0, 33)


def star(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE lightness of sRGB pixels."""
    return lightness(luminance(decode(pixels / 255)))


@pytest.mark.parametrize(
    ("lab", "srgb"),
    [
        # The pairs in Ottosson's post, by the name of the colour in CSS.
        ((0.6279554, 0.2248631, 0.1258463), (255, 0, 0)),
        ((0.8664396, -0.2338874, 0.1794985), (0, 255, 0)),
        ((0.4520137, -0.0324570, -0.3115281), (0, 0, 255)),
    ],
)
def test_oklab_has_the_primaries_where_they_are_published(
    lab: tuple[float, ...], srgb: tuple[int, ...]
) -> None:
    pixels = np.rint(255 * encode(from_oklab(np.array(lab))))
    assert pixels.tolist() == list(srgb)


def test_the_steps_of_the_path_are_equally_long() -> None:
    lengths = np.linalg.norm(np.diff(path(STEPS), axis=0), axis=1)
    assert lengths.max() / lengths.min() < 1.01


def test_the_path_stays_on_the_screen() -> None:
    linear = from_oklab(path(STEPS))
    assert linear.min() >= 0.0
    assert linear.max() <= 1.0


def test_a_map_alone_gets_lighter_with_every_step() -> None:
    assert (np.diff(star(heat_colours(STEPS))) > 0).all()


@pytest.mark.parametrize("name", BLINDNESS)
def test_every_step_is_lighter_for_the_colour_blind_too(name: str) -> None:
    linear = decode(heat_colours(STEPS) / 255) @ np.array(BLINDNESS[name]).T
    assert (np.diff(lightness(luminance(np.clip(linear, 0, 1)))) > 0).all()


@pytest.mark.parametrize("name", BLINDNESS)
def test_the_colour_blind_see_where_an_overlay_is_hot(name: str) -> None:
    grey = np.full((1, 2), 128, np.uint8)
    linear = decode(overlay(grey, np.array([[0.0, 1.0]])) / 255) @ np.array(BLINDNESS[name]).T
    cold, hot = encode(np.clip(linear, 0, 1))[0]
    # Three times as far as neighbouring steps of grey that can just be told apart (1/64).
    assert np.linalg.norm(hot - cold) > 3 / 64


@given(
    level=st.integers(0, 255),
    values=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8),
)
def test_an_overlay_is_as_bright_as_its_picture_whatever_the_map(
    level: int, values: list[float]
) -> None:
    grey = np.full((1, len(values)), level, np.uint8)
    shown = star(overlay(grey, np.array([values])))
    expected = lightness(shown_luminance(decode(np.array(level / 255))))
    # Half a step of 8 bits in each channel.
    assert np.abs(shown - expected).max() < 0.6


def test_a_brighter_pixel_stays_brighter_under_the_map() -> None:
    grey = np.arange(0, 256, 5, dtype=np.uint8)[:, None]
    shown = star(overlay(grey, np.full(grey.shape, 0.8)))[:, 0]
    assert (np.diff(shown) > 0).all()


def test_a_colour_picture_becomes_grey_where_the_map_is_nought() -> None:
    red = np.full((1, 1, 3), (200, 30, 30), np.uint8)
    assert np.ptp(overlay(red, np.zeros((1, 1)))) == 0


def test_more_of_the_map_is_more_colour() -> None:
    grey = np.full((1, 33), 128, np.uint8)
    lab = to_oklab(decode(overlay(grey, STEPS[None])[0] / 255))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    assert (np.diff(chroma)[:-3] > 0).all()  # the screen holds no more at the very end
    assert chroma[-1] > 0.14
