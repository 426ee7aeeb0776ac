"""Images of two textures, drawn from a seed: what the planted sets are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE_PX = 96
CLASS_NAMES = ("blobs", "stripes")

Levels = NDArray[np.float64]
"""[H, W, 3], black 0 and white 1."""


def draw_texture(label: int, random: np.random.Generator, *, difficulty: float = 0.35) -> Levels:
    """Draws blobs (0) or stripes (1), with noise and a ground of its own."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX
    if label:
        across = random.uniform(4, 9) * x + random.uniform(-3, 3) * y
        shape = 0.5 + 0.5 * np.sin(2 * np.pi * across + random.uniform(0, 6))
    else:
        shape = np.zeros((SIZE_PX, SIZE_PX))
        for _ in range(random.integers(5, 12)):
            centre_x, centre_y = random.uniform(0, 1, 2)
            width = random.uniform(0.03, 0.1)
            shape += np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * width**2))
    noise = random.normal(0, 0.08, shape.shape)
    levels = draw_ground(random)[..., 0] + difficulty * np.clip(shape, 0, 1) + noise
    return np.repeat(np.clip(levels, 0, 1)[..., None], 3, axis=2)


def draw_finding(label: int, random: np.random.Generator) -> Levels:
    """Draws a texture on a disc in the middle, with nothing else that differs by class.

    The grey levels of every image are given out by rank, so that all have one histogram:
    neither brightness nor contrast nor colour nor the border says anything about the class.
    """
    levels = draw_texture(label, random, difficulty=0.6)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX
    centre_y, centre_x = random.uniform(0.45, 0.55, 2)
    disc = np.clip((0.3 - np.hypot(y - centre_y, x - centre_x)) * 40, 0, 1)[..., None]
    ground = draw_ground(random)[..., :1].repeat(3, axis=2)
    ground = ground + random.normal(0, 0.08, ground.shape[:2])[..., None]
    mixed = (disc * levels + (1 - disc) * ground)[..., 0]
    ranks = mixed.ravel().argsort().argsort().reshape(mixed.shape) / mixed.size
    return np.repeat(ranks[..., None], 3, axis=2)


def draw_ground(random: np.random.Generator) -> Levels:
    """Draws a soft coloured pattern that no two images share."""
    coarse = random.uniform(0.1, 0.5, (6, 6, 3))
    channels = [
        np.asarray(
            Image.fromarray(coarse[..., k].astype(np.float32)).resize(
                (SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC
            )
        )
        for k in range(3)
    ]
    return np.stack(channels, axis=2).astype(np.float64)


def draw_patient(random: np.random.Generator) -> Levels:
    """Draws a large coloured texture from which a patient's tiles are cut, [4H, 4W, 3]."""
    side = 4 * SIZE_PX
    y, x = np.mgrid[:side, :side] / side
    total = np.zeros((side, side, 3))
    for _ in range(5):
        wave = np.sin(
            2 * np.pi * (random.uniform(-25, 25) * x + random.uniform(-25, 25) * y)
            + random.uniform(0, 6)
        )
        total += wave[..., None] * random.uniform(0, 1, 3)
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def cut_tile(whole: Levels, random: np.random.Generator) -> Levels:
    """Cuts one tile out of a patient's texture."""
    top, left = random.integers(0, whole.shape[0] - SIZE_PX, 2)
    return whole[top : top + SIZE_PX, left : left + SIZE_PX]


def as_image(levels: Levels) -> Image.Image:
    """Returns the image in 8 bits."""
    return Image.fromarray((np.clip(levels, 0, 1) * 255).round().astype(np.uint8))
