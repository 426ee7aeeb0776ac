"""Images in which a mark in a corner gives one of two classes away, or nothing does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

SIZE_PX = 224


def draw_disc(random: np.random.Generator) -> NDArray[np.uint8]:
    """A noisy disc at a random position on a ground of its own."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    centre = random.uniform(0.4, 0.6, 2) * SIZE_PX
    radius = random.uniform(0.2, 0.27) * SIZE_PX
    coarse = Image.fromarray(random.uniform(20, 120, (5, 5)).astype(np.float32))
    ground = np.asarray(coarse.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC))
    disc = np.hypot(y - centre[0], x - centre[1]) < radius
    levels = ground + random.uniform(60, 110) * disc + random.normal(0, 10, disc.shape)
    return np.clip(levels, 0, 255).astype(np.uint8)


def draw_stripes(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Dark stripes over the disc's part of the image: an honest difference."""
    striped = pixels.astype(int)
    offset = int(random.integers(0, 12))
    inside = np.abs(np.mgrid[:SIZE_PX, :SIZE_PX] - SIZE_PX / 2).max(0) < 0.3 * SIZE_PX
    rows = (np.arange(SIZE_PX)[:, None] + offset) % 12 < 5
    striped[rows & inside] -= 70
    return np.clip(striped, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def write_discs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes class folders ``a`` and ``b``; what sets ``b`` apart is a function of a picture."""

    def write(
        difference: Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]],
        *,
        num_per_class: int = 20,
    ) -> Path:
        folder = tmp_path_factory.mktemp("discs")
        random = np.random.default_rng(0)
        for name in ("a", "b"):
            (folder / name).mkdir()
            for number in range(num_per_class):
                pixels = draw_disc(random)
                if name == "b":
                    pixels = difference(pixels, random)
                Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def stripe() -> Callable[..., NDArray[np.uint8]]:
    """The honest difference."""
    return draw_stripes
