"""Small real images for data sets that the tests write themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from foveal.dataset import ImageRecord, Manifest
from foveal.dataset.fingerprints import fingerprint

Draw = Callable[..., Image.Image]


def picture(seed: int, *, width: int = 120, height: int = 100) -> Image.Image:
    """A random image with the spectrum of natural ones: power falls with frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    noise = np.fft.fft2(rng.standard_normal((height, width)))
    levels = np.fft.ifft2(noise / frequency**1.2).real
    levels = (levels - levels.mean()) / levels.std() * 45 + 128
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


@pytest.fixture
def draw() -> Draw:
    return picture


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Saves an image below ``tmp_path / "data"`` and returns where."""

    def save(path: str, image: Image.Image | int = 0, **options: object) -> Path:
        target = tmp_path / "data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (picture(image) if isinstance(image, int) else image).save(target, **options)
        return target

    return save


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def record_of(pixels: NDArray[np.uint8] | Image.Image, path: str, **fields: object) -> ImageRecord:
    """The record of an image that lies in no file."""
    prints = fingerprint(np.asarray(pixels))
    return ImageRecord(
        path,
        digest=f"file {path}",
        pixel_digest=prints.pixel_digest,
        signature=prints.signature,
        perceptual_hash=prints.perceptual_hash,
        grey_mean=prints.grey_mean,
        grey_std=prints.grey_std,
        **{"label": "a", **fields},  # type: ignore[arg-type]
    )


@pytest.fixture
def as_manifest() -> Callable[..., Manifest]:
    """Makes a manifest of records, or of images."""

    def make(items: list[ImageRecord] | list[Image.Image], **fields: object) -> Manifest:
        records = tuple(
            item if isinstance(item, ImageRecord) else record_of(item, f"{index:04}.png")
            for index, item in enumerate(items)
        )
        names = tuple(sorted({r.label for r in records if r.label and r.problem is None}))
        return Manifest(Path("/nowhere"), records, names, "class folders", **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def as_record() -> Callable[..., ImageRecord]:
    return record_of
