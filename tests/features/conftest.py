"""Sources, images and backends to try the rooms with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.features import Backend, ImageSource
from foveal.images import Preprocessing
from foveal.models import Backbone, load_backbone

Pictures = NDArray[np.float32]


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Backbone:
    return load_backbone("test_resnet", weights=tiny_weights)


@pytest.fixture(scope="session")
def preprocessing(tiny: Backbone) -> Preprocessing:
    return Preprocessing.from_pretrained(tiny.pretrained_config, size_px=32)


@pytest.fixture
def sources(shapes: Path) -> list[ImageSource]:
    """36 images with their digests."""
    return [source_of(path) for path in sorted(shapes.rglob("*.png"))]


def source_of(path: Path) -> ImageSource:
    return ImageSource(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="session")
def make_pictures() -> Callable[..., Pictures]:
    """Smooth random inputs of a given size."""

    def make(count: int, size_px: int) -> Pictures:
        random = np.random.default_rng(7)
        coarse = random.normal(size=(count, 3, size_px // 8, size_px // 8))
        return coarse.repeat(8, 2).repeat(8, 3).astype(np.float32)

    return make


class CountingBackend:
    """Features are the mean of each channel; counts what it is asked."""

    def __init__(self) -> None:
        self.num_images = 0

    def open(self, *, num_concurrent: int = 2) -> Backend:
        return Backend("counting", "fp32", self.run, num_concurrent)

    def run(self, images: Pictures) -> Pictures:
        self.num_images += len(images)
        return images.mean((2, 3))


@pytest.fixture
def counting() -> CountingBackend:
    return CountingBackend()
