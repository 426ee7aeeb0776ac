"""A residual network of depth 20 from a random start: speed, time to an accuracy, and the gap.

Handwritten digits of scikit-learn (8 by 8 pixels, shown to the network at SIZE pixels), the same
start, order and recipe with each policy. Tested are images that nothing was trained or stopped on.
The gap is accuracy on training images as they are, less accuracy on the tested ones; its interval
is that of the tested share (Wilson). Everything runs on the processor.

``IMAGES`` (400), ``EPOCHS`` (30), ``SIZE`` (16), ``SEEDS`` (1) and ``POLICIES`` in the environment
change it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.measuring import print_table
from foveal.draw.numbers import percent, signed_points
from foveal.evaluation import wilson
from foveal.features import ImageSource
from foveal.features.frozen_part import ViewPlan
from foveal.finetuning.epochs import EpochRow
from foveal.finetuning.loop import Examples, train_network
from foveal.finetuning.settings import Recipe, from_scratch
from foveal.finetuning.sources import FileSource
from foveal.images import Preprocessing
from foveal.images.augmentation import find_policy
from foveal.models.untrained import OwnNetwork, build_own

IMAGES = int(os.environ.get("IMAGES", "400"))
EPOCHS = int(os.environ.get("EPOCHS", "30"))
SIZE = int(os.environ.get("SIZE", "16"))
SEEDS = int(os.environ.get("SEEDS", "1"))
POLICIES = os.environ.get("POLICIES", "none,crop,padded-crop,crop+cutout,crop+cutmix").split(",")
_TRAINED = 0.5
_WANTED = 0.9


class _Clock:
    """Notes when each epoch ended."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, EpochRow]] = []
        self.began = time.perf_counter()

    def begin_fit(self, name: str, num_epochs: int) -> None:
        pass

    def advance_fit(self, done: int, total: int) -> None:
        pass

    def end_epoch(self, row: EpochRow) -> None:
        self.rows.append((time.perf_counter() - self.began, row))


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        sources, labels = _write(Path(folder))
        rows = [_measure(sources, labels, policy) for policy in POLICIES]
    print(
        f"{IMAGES} digits, half of them trained on, {EPOCHS} epochs at {SIZE} pixels, "
        f"{SEEDS} seed(s)\n"
    )
    head = (
        "policy",
        "images/s",
        f"seconds to {_WANTED:.0%} of tested",
        "all seconds",
        "training images",
        "tested images",
        "gap, points",
    )
    print_table(head, rows)


def _write(folder: Path) -> tuple[list[ImageSource], np.ndarray]:
    digits = load_digits()
    chosen = np.random.default_rng(0).permutation(len(digits.target))[:IMAGES]
    sources = []
    for row in chosen:
        file = folder / f"{row:04}.png"
        Image.fromarray((digits.images[row] * (255 / 16)).astype(np.uint8)).save(file)
        sources.append(ImageSource(file, hashlib.sha256(file.read_bytes()).hexdigest()))
    return sources, digits.target[chosen]


def _measure(sources: list[ImageSource], labels: np.ndarray, policy_name: str) -> tuple[str, ...]:
    policy = find_policy(policy_name)
    border = int(IMAGES * _TRAINED)
    trained, tested = np.arange(border), np.arange(border, IMAGES)
    targets = np.eye(10, dtype=np.float32)[labels]
    speeds, seconds, reached, on_trained, on_tested = [], [], [], [], []
    for seed in range(SEEDS):
        recipe = replace(
            from_scratch(Recipe(num_epochs=EPOCHS, seed=seed)),
            mixup=float("mixup" in policy.mixings),
            cutmix=float("cutmix" in policy.mixings),
        )
        network = build_own("foveal:resnet20", seed=seed)
        assert isinstance(network, OwnNetwork)
        network.reset_classifier(10)
        network.requires_grad_(True)
        source = FileSource(
            sources,
            Preprocessing(SIZE, SIZE, mean=(0.5,) * 3, std=(0.25,) * 3),
            ViewPlan(policy, 1, seed),
        )
        clock = _Clock()
        # The tested images are watched, to see when an accuracy is reached, and choose nothing:
        # the last epoch is what is judged.
        examples = Examples(targets, np.ones(IMAGES, np.float32), trained, tested)
        names = [name for name, _ in network.named_parameters()]
        train_network(
            network,
            source,
            examples,
            replace(recipe, patience=EPOCHS),
            depths=dict.fromkeys(names, 1.0),
            listener=clock,
        )
        last = clock.rows[-1][1]
        speeds.append(np.median([row.images_per_second for _, row in clock.rows[1:]]))
        seconds.append(clock.rows[-1][0])
        reached.append(
            next((at for at, row in clock.rows if (row.validation_accuracy or 0) >= _WANTED), None)
        )
        on_trained.append(last.train_accuracy)
        on_tested.append(last.validation_accuracy or 0.0)
        source.close()
    share, gap = float(np.mean(on_tested)), float(np.mean(on_trained) - np.mean(on_tested))
    around = wilson(round(share * len(tested)), len(tested))
    half = ((around.high or 0) - (around.low or 0)) / 2
    times = [at for at in reached if at is not None]
    return (
        policy.name,
        f"{np.mean(speeds):,.0f}",
        f"{np.mean(times):.1f}" + (f" ({len(times)} of {SEEDS})" if len(times) < SEEDS else "")
        if times
        else "not reached",
        f"{np.mean(seconds):.1f}",
        percent(float(np.mean(on_trained)), digits=1),
        percent(share, digits=1),
        f"{signed_points(gap)} ± {100 * half:.1f}",
    )


if __name__ == "__main__":
    main()
