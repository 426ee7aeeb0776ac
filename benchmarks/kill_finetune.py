"""``python -m benchmarks kill-finetune``: a fine-tuning is killed at random moments and resumed.

Each trial trains one fit with two seeds, is killed (SIGKILL) at a random moment, resumed, and
killed again, up to three times; then it may finish. The digest of all its weights must be that of
the undisturbed training. ``MOMENTS=50`` sets the number of kills.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.kill import in_child, killed_after
from benchmarks.measuring import print_table
from foveal.finetuning.checkpoints import CheckpointFolder, Origin
from foveal.finetuning.cuts import divide, find_candidates
from foveal.finetuning.fitting import FitTask, fit_suffix
from foveal.finetuning.settings import Recipe
from foveal.models import load_backbone

SIZE = (32, 32)
ORIGIN = Origin({"what": "a trial"})
RECIPE = Recipe(num_epochs=6, batch_size=16, head_rate=1e-2, first_rate=1e-3, num_seeds=2)


class _Noise:
    """Activations of three views, made from numbers."""

    def __init__(self, shape: tuple[int, ...], num_images: int) -> None:
        self.digests = tuple(f"{row:04x}" for row in range(num_images))
        self._shape = shape

    def views_of(self, rows, *, seed: int, epoch: int):
        return (rows + seed + epoch) % 3

    def batch(self, rows, views):
        made = [
            np.random.default_rng([row, view]).random(self._shape, np.float32) + row % 3
            for row, view in zip(rows.tolist(), views.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(made))


def fit(weights: Path, folder: Path, result: Path, *, resume: bool) -> None:
    torch.set_num_threads(1)
    backbone = load_backbone("test_resnet", weights=weights)
    candidates, _ = find_candidates(backbone, SIZE)
    division = divide(backbone, candidates[-1], num_classes=3, size=SIZE)
    labels = np.arange(60) % 3
    task = FitTask(
        labels=labels,
        targets=np.eye(3, dtype=np.float32)[labels],
        weights=np.ones(60, np.float32),
        groups=np.arange(60),
        rows=np.arange(60),
        class_names=("a", "b", "c"),
    )
    fitted = fit_suffix(
        division,
        _Noise(candidates[-1].shape, 60),
        task,
        RECIPE,
        head=lambda rows: (
            np.zeros(tuple(division.classifier.weight.shape), np.float32),
            np.zeros(3, np.float32),
        ),
        checkpoints=CheckpointFolder(folder, ORIGIN, resume=resume),
    )
    digest = hashlib.sha256()
    for value in fitted.weights.values():
        digest.update(value.numpy().tobytes())
    result.write_text(digest.hexdigest())


def main() -> None:
    num_moments = int(os.environ.get("MOMENTS", "50"))
    random = np.random.default_rng(0)
    found: Counter[str] = Counter()
    num_kills = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        import timm

        network = timm.create_model("test_resnet", num_classes=10)
        weights = root / "weights.pth"
        torch.save(network.state_dict(), weights)
        result = root / "result"

        def work(folder: Path) -> Callable[[], None]:
            resume = (folder / "fine-tuning.json").exists()
            return lambda: fit(weights, folder, result, resume=resume)

        began = time.perf_counter()
        if in_child(work(root / "undisturbed")) != 0:
            sys.exit("The undisturbed training failed.")
        seconds = time.perf_counter() - began
        expected = result.read_text()
        trial = 0
        while num_kills < num_moments:
            trial += 1
            folder, kills = root / f"trial-{trial}", 0
            for _ in range(3):
                if killed_after(float(random.uniform(0.05, seconds)), work(folder)) >= 0:
                    break
                kills += 1
            num_kills += kills
            result.unlink(missing_ok=True)
            if in_child(work(folder)) != 0:
                found["the next command fails"] += 1
            else:
                same = result.read_text() == expected
                found["the same bits" if same else "other weights"] += 1
    rows = [(str(trial), str(num_kills), outcome, str(times)) for outcome, times in found.items()]
    print_table(("trainings", "kills", "in the end", "times"), rows)


if __name__ == "__main__":
    main()
