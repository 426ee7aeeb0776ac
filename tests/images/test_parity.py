"""The same pixels as torchvision's and timm's own evaluation transforms.

Both hand the resizing to Pillow, whose versions differ in which axis comes first. The image is
therefore given to them in two steps, one axis each: then all versions agree, to the last bit.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from foveal.images import Preprocessing
from foveal.images.resizing import plan_resize

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


def resized_by_axis(
    data: bytes, whole_px: tuple[int, int], method: Image.Resampling
) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return image.resize((whole_px[1], image.height), method).resize(whole_px[::-1], method)


def levels_apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Differences in 8-bit levels, normalisation undone."""
    return np.abs(ours - theirs) * np.array(STD)[:, None, None] * 255


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_squash_equals_torchvision(size, mode):
    import torch
    from torchvision.transforms import v2

    data = png(size, mode)
    transform = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    )
    theirs = transform(resized_by_axis(data, (224, 160), Image.Resampling.BICUBIC)).numpy()
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
    transform = create_transform(**config)
    whole = plan_resize(*size, to_px=(224, 224), fit="crop", crop_fraction=crop_pct).whole_px
    method = Image.Resampling[interpolation.upper()]
    theirs = transform(resized_by_axis(data, whole, method)).numpy()
    ours = Preprocessing.from_pretrained(config, fit="crop").apply(data)
    assert levels_apart(ours, theirs).max() < 1e-3
