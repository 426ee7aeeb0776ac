"""Resampling in whole numbers: golden bytes, and the axis-by-axis bytes of Pillow."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from foveal.images.resizing import resample_levels

METHODS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# SHA-256 (first half) of what Pillow 12.3.0 gives on x86-64 for the image made by `pattern`.
GOLDEN = [
    ("bilinear", (90, 130, 3), (64, 48), "8dcf8bee9a61e6cd0e86b684e9705b76"),
    ("bilinear", (17, 23, 1), (60, 41), "02e4925633caaaebb900f60d84fd813f"),
    ("bilinear", (301, 300, 1), (224, 224), "3fb722264d3134fcedd923a3e60c1843"),
    ("bilinear", (50, 400, 1), (50, 37), "439dd8a5a9c0859d4f9593127c3acee7"),
    ("bilinear", (700, 31, 1), (29, 64), "ea65d6aea07bd26ca499b44cbdbb8cb6"),
    ("bicubic", (90, 130, 3), (64, 48), "6755cb72a7c27c155e1caeccf48fb2f2"),
    ("bicubic", (17, 23, 1), (60, 41), "7888492df5f7877b9ab871bb0e4806d5"),
    ("bicubic", (301, 300, 1), (224, 224), "f73dac89c21000ad8d2977ed07138321"),
    ("bicubic", (50, 400, 1), (50, 37), "eed153e4d6407d2606294c0814c1b065"),
    ("bicubic", (700, 31, 1), (29, 64), "38599a2b47d2d6ed05a527747f679aff"),
    ("lanczos", (90, 130, 3), (64, 48), "afd66a79a41fa1130f24089f4433c680"),
    ("lanczos", (17, 23, 1), (60, 41), "393d6dbf0a45eab15de661bf51ee3db6"),
    ("lanczos", (301, 300, 1), (224, 224), "4fc2d034e842bc30bb6beec0907d15e9"),
    ("lanczos", (50, 400, 1), (50, 37), "731a4eaed7ffb1977a0230fb477d03c2"),
    ("lanczos", (700, 31, 1), (29, 64), "262ff6cf0ad29709e0da11ec1616a475"),
]


def pattern(height: int, width: int, channels: int) -> np.ndarray:
    y, x, z = np.mgrid[:height, :width, :channels]
    levels = x * x * 7 + y * y * 13 + x * y * 5 + z * 97 + ((x // 9 + y // 7) % 3) * 80
    return (levels % 256).astype(np.uint8).squeeze()


def whole(levels: np.ndarray, name: str, to_px: tuple[int, int]) -> np.ndarray:
    rows, columns = range(to_px[0]), range(to_px[1])
    return resample_levels(levels, name, whole_px=to_px, rows=rows, columns=columns)


@pytest.mark.parametrize(("name", "shape", "to_px", "digest"), GOLDEN)
def test_the_bytes_are_those_of_pillow_12(name, shape, to_px, digest):
    resized = whole(pattern(*shape), name, to_px)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:32] == digest


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(METHODS)),
    source=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    to_px=st.tuples(st.integers(1, 260), st.integers(1, 260)),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 9),
)
def test_every_size_equals_pillow_axis_by_axis(name, source, to_px, channels, seed):
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (*source, channels), dtype=np.uint8).squeeze(
        -1 if channels == 1 else ()
    )
    across = Image.fromarray(levels).resize((to_px[1], source[0]), METHODS[name])
    both = np.asarray(across.resize(to_px[::-1], METHODS[name]))
    assert np.array_equal(whole(levels, name, to_px), both)


@given(
    top=st.integers(0, 30),
    left=st.integers(0, 30),
    rows=st.integers(1, 34),
    columns=st.integers(1, 34),
)
def test_a_part_is_the_part_of_the_whole(top, left, rows, columns):
    levels = pattern(50, 40, 3)
    part = resample_levels(
        levels,
        "bicubic",
        whole_px=(64, 64),
        rows=range(top, top + rows),
        columns=range(left, left + columns),
    )
    assert np.array_equal(
        part, whole(levels, "bicubic", (64, 64))[top : top + rows, left : left + columns]
    )


@pytest.mark.parametrize("name", METHODS)
def test_bands_of_a_large_picture_do_not_show(name):
    levels = pattern(700, 900, 1)
    across = Image.fromarray(levels).resize((60, 700), METHODS[name])
    both = np.asarray(across.resize((60, 50), METHODS[name]))
    assert np.array_equal(whole(levels, name, (50, 60)), both)


@pytest.mark.parametrize("name", METHODS)
def test_sixteen_bits_hold_the_weighted_mean_in_whole_numbers(name):
    levels = np.random.default_rng(0).integers(0, 65_536, (40, 1), dtype=np.uint16)
    exact = np.asarray(
        Image.fromarray(levels[:, 0].astype(np.float32)[:, None]).resize((1, 13), METHODS[name])
    )
    assert np.abs(whole(levels, name, (13, 1)) - exact.clip(0, 65_535)).max() <= 0.6


def test_an_axis_that_keeps_its_size_is_left_alone():
    levels = pattern(20, 30, 1)
    assert np.array_equal(whole(levels, "lanczos", (20, 30)), levels)
