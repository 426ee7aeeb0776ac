"""Feature extraction: every backend against PyTorch's default layout, taking turns.

Images are random and already prepared, so this times the network alone. ResNet-18 has
random weights: speed does not depend on them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import timm
import torch

from benchmarks.measuring import print_table
from foveal.features.backends import BACKENDS, Backend
from foveal.graph import trace
from foveal.models import Backbone, load_backbone

_BATCH = 8
_NUM_IMAGES = 64
_ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        checkpoint = cache / "resnet18.pth"
        torch.save(timm.create_model("resnet18").state_dict(), checkpoint)
        for backbone in (load_backbone(), load_backbone("resnet18", weights=checkpoint)):
            _compare(backbone, cache)


def _compare(backbone: Backbone, cache: Path) -> None:
    images = np.random.default_rng(0).standard_normal((_BATCH, 3, 224, 224), np.float32)
    graph = trace(backbone.feature_network(), (3, 224, 224))
    gigaflops = 2e-9 * (graph.macs.value or 0)
    opened: list[Backend] = []
    skipped: list[tuple[str, str]] = []
    for spec in BACKENDS:
        if obstacle := spec.obstacle():
            skipped.append((spec.name, obstacle))
            continue
        backend = spec.open(backbone, (224, 224), cache)
        backend.run(images)
        opened.append(backend)
    speeds: dict[str, list[float]] = {backend.name: [] for backend in opened}
    peaks = []
    for _ in range(_ROUNDS):  # in turns, so that all see the same weather
        peaks.append(_matmul_gigaflops())
        for backend in opened:
            speeds[backend.name].append(_images_per_second(backend, images))
    peak = statistics.median(peaks)
    print(
        f"**{backbone.name}**, {gigaflops / 2:.3f} GMACs an image, {torch.get_num_threads()} "
        f"threads, matrix-multiply peak {peak:.0f} GFLOP/s\n"
    )
    rows = []
    for name, measured in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(measured, speeds["torch"], strict=True)]
        speed = statistics.median(measured)
        rows.append(
            (
                name,
                f"{speed:.1f}",
                f"{statistics.median(ratios):.2f}×",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
                f"{speed * gigaflops / peak:.0%}",
            )
        )
    rows += [(name, "not run", reason, "", "") for name, reason in skipped]
    print_table(("backend", "images/s", "to torch default", "range", "of peak"), rows)
    print()


def _images_per_second(backend: Backend, images: np.ndarray) -> float:
    num_calls = _NUM_IMAGES // _BATCH
    with ThreadPoolExecutor(backend.num_concurrent) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: backend.run(images), range(num_calls)))
        return num_calls * _BATCH / (time.perf_counter() - start)


def _matmul_gigaflops(size: int = 2048) -> float:
    left, right = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2e-9 * size**3 / best


if __name__ == "__main__":
    main()
