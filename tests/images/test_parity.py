"""The same pixels as torchvision's and timm's own evaluation transforms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from foveal.images import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(300, 300), (400, 301), (250, 613), (180, 200)]


def png(size: tuple[int, int], mode: str) -> bytes:
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(0).integers(0, 60, (height, width, 3))
    pixels = (np.stack([x % 200, y % 190, (x + y) % 180], axis=-1) + noise).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def levels_apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Differences in 8-bit levels, normalisation undone."""
    return np.abs(ours - theirs) * np.array(STD)[:, None, None] * 255


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_squash_equals_torchvision(size, mode):
    import torch
    from torchvision.transforms import InterpolationMode, v2

    data = png(size, mode)
    transform = v2.Compose(
        [
            v2.Resize((224, 160), InterpolationMode.BICUBIC, antialias=True),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    theirs = transform(Image.open(io.BytesIO(data)).convert("RGB")).numpy()
    ours = Preprocessing(224, 160, mean=MEAN, std=STD).apply(data)
    assert levels_apart(ours, theirs).max() < 1e-3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.95, 1.0])
def test_crop_equals_timm(size, interpolation, crop_pct):
    from timm.data import create_transform

    config = {
        "input_size": (3, 224, 224),
        "interpolation": interpolation,
        "mean": MEAN,
        "std": STD,
        "crop_pct": crop_pct,
    }
    data = png(size, "RGB")
    theirs = create_transform(**config)(Image.open(io.BytesIO(data))).numpy()
    ours = Preprocessing.from_pretrained(config, fit="crop").apply(data)
    assert levels_apart(ours, theirs).max() < 1e-3
