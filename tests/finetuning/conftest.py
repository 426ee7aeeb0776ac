"""A small network, a bank in memory, and images that can be learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.finetuning.cuts import Division, divide, find_candidates
from foveal.finetuning.fitting import FitTask, HeadMaker
from foveal.models import Backbone, load_backbone

SIZE = (32, 32)
NUM_IMAGES = 48


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Backbone:
    return load_backbone("test_resnet", weights=tiny_weights)


class MemorySource:
    """Activations of K views in memory; each view is the first one with noise."""

    def __init__(self, values: NDArray[np.float32], *, num_views: int = 3) -> None:
        self.digests = tuple(f"{number:04x}" for number in range(len(values)))
        self.values = values
        self.num_views = num_views
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        return (rows + seed + epoch) % self.num_views

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        self.asked.append((tuple(rows.tolist()), tuple(views.tolist())))
        noise = [
            np.random.default_rng([row, view]).normal(size=self.values.shape[1:]) * 0.05 * view
            for row, view in zip(rows.tolist(), views.tolist(), strict=True)
        ]
        return torch.from_numpy((self.values[rows] + np.stack(noise)).astype(np.float32))


class Kit:
    """Makes what a test of fine-tuning needs."""

    def __init__(self, tiny: Backbone) -> None:
        self.tiny = tiny

    def divide(self, *, num_stages: int = 1, num_classes: int = 3) -> Division:
        candidates, _ = find_candidates(self.tiny, SIZE)
        chosen = next(one for one in candidates if one.num_stages == num_stages)
        return divide(self.tiny, chosen, num_classes=num_classes, size=SIZE)

    def task(self, num_images: int = NUM_IMAGES, num_classes: int = 3) -> FitTask:
        labels = np.arange(num_images, dtype=np.int64) % num_classes
        return FitTask(
            labels=labels,
            targets=np.eye(num_classes, dtype=np.float32)[labels],
            weights=np.ones(num_images, np.float32),
            groups=np.arange(num_images) // 2,
            rows=np.arange(num_images),
            class_names=tuple("abcdefgh"[:num_classes]),
            names=lambda row: f"{row}.png",
        )

    def source(
        self, division: Division, task: FitTask, *, strength: float = 1.5, num_views: int = 3
    ) -> MemorySource:
        """Activations in which every class has a pattern of its own, under noise."""
        random = np.random.default_rng(0)
        shape = division.candidate.shape
        patterns = random.normal(size=(task.targets.shape[1], *shape))
        values = random.normal(size=(len(task.labels), *shape)) + strength * patterns[task.labels]
        return MemorySource(np.maximum(values, 0).astype(np.float32), num_views=num_views)

    def pooled(self, division: Division, batch: Tensor) -> Tensor:
        """What the classifier reads for a batch at the cut."""
        seen: list[Tensor] = []
        handle = division.classifier.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        division.suffix(batch)
        handle.remove()
        return seen[0]

    def head(self, division: Division) -> HeadMaker:
        """A head of zeros, whatever it is fitted on."""
        shape = tuple(division.classifier.weight.shape)
        return lambda rows: (np.zeros(shape, np.float32), np.zeros(shape[0], np.float32))


@pytest.fixture(scope="session")
def kit(tiny: Backbone) -> Kit:
    return Kit(tiny)
