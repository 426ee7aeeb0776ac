"""Trainings small enough to do several of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def quick(tiny_weights: Path) -> tuple[str, ...]:
    """Options with which training takes a second or two: a tiny network, nothing probed."""
    return (
        *("--backbone", "test_resnet", "--weights", str(tiny_weights), "--size", "64"),
        *("--backend", "onnxruntime"),
    )


@pytest.fixture
def train(foveal: Callable[..., Any], quick: tuple[str, ...]) -> Callable[..., Any]:
    """``foveal train`` in this process, quickly."""
    import torch

    torch.set_num_threads(1)
    return lambda *words: foveal("train", *words, *quick)
