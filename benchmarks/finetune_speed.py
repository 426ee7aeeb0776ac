"""A training epoch on ELPV: the suffix from a bank, beside the naive loop and a tuned one.

Naive: the whole network, eager, default layout, fp32. Tuned: the whole network, channels_last,
and bf16 by autocast where the processor has it. Both are given prepared images in memory, which
favours them. Foveal trains what ``--unfreeze`` names (the last stages) from a bank on disk, and
reads it in every step. All take turns in one process with the same batch size, optimizer and
number of threads; the best of the rounds counts for each.

The frozen part runs once for every view and image; the last columns spread it over the
trainings of five folds with eight epochs and four views each.

ResNet-18 has random weights here, because its pretrained ones do not install; speed does not
depend on them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch

from benchmarks.measuring import print_table
from foveal.demo import choose_cells, read_elpv
from foveal.features import ImageSource, choose_backend, num_cores
from foveal.features.backends import why_no_bf16
from foveal.features.frozen_part import ViewPlan, fill_bank, open_bank
from foveal.finetuning.budget import bank_part
from foveal.finetuning.cuts import choose_candidate, divide, find_candidates
from foveal.finetuning.epochs import EpochRow
from foveal.finetuning.loop import Examples, settled, train_network
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BankSource
from foveal.images import Preprocessing
from foveal.images.augmentation import find_policy
from foveal.models import Backbone, load_backbone

NUM_IMAGES = int(os.environ.get("IMAGES", "96"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
SIZE = (224, 224)
_VIEWS, _EPOCHS, _FITS = 4, 8, 6


class _Speed:
    """Keeps the fastest epoch."""

    def __init__(self) -> None:
        self.best = 0.0

    def begin_fit(self, name: str, num_epochs: int) -> None:
        pass

    def advance_fit(self, done: int, total: int) -> None:
        pass

    def end_epoch(self, row: EpochRow) -> None:
        self.best = max(self.best, row.images_per_second)


def whole_network_speed(
    network: torch.nn.Module, images: torch.Tensor, *, is_tuned: bool
) -> Callable[[], float]:
    """Returns what runs an epoch of a plain loop and gives images a second."""
    layout = torch.channels_last if is_tuned else torch.contiguous_format
    network = network.to(memory_format=layout).requires_grad_(True).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    labels = torch.arange(len(images)) % 2
    has_bf16 = is_tuned and why_no_bf16() is None

    def epoch() -> float:
        began = time.perf_counter()
        for start in range(0, len(images), 32):
            batch = images[start : start + 32].contiguous(memory_format=layout)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16):
                logits = network(batch)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels[start : start + 32])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return len(images) / (time.perf_counter() - began)

    return epoch


def measure(
    title: str, backbone: Backbone, unfreeze: tuple[str, ...], cache: Path
) -> list[tuple[str, ...]]:
    preprocessing = Preprocessing.from_pretrained(backbone.pretrained_config, size_px=SIZE[0])
    sources = []
    for cell in choose_cells(read_elpv(), NUM_IMAGES, seed=0):
        import hashlib

        sources.append(ImageSource(cell.path, hashlib.sha256(cell.path.read_bytes()).hexdigest()))
    images = torch.from_numpy(np.stack([preprocessing.apply(one.path) for one in sources]))

    def fresh() -> torch.nn.Module:
        return divide(backbone, candidates[0], num_classes=2, size=SIZE).network

    candidates, _ = find_candidates(backbone, SIZE)
    naive = whole_network_speed(fresh(), images, is_tuned=False)
    tuned = whole_network_speed(fresh(), images, is_tuned=True)
    policy, rows_of = find_policy("light"), []
    suffixes = {}
    for word in unfreeze:
        candidate = choose_candidate(backbone, candidates, word, SIZE)
        part = bank_part(backbone, candidate, SIZE)
        backend, _ = choose_backend(part, images[:8].numpy(), num_images=500, cache=cache)
        bank = open_bank(
            cache, part, preprocessing=preprocessing, policy=policy, seed=0, backend=backend.name
        )
        began = time.perf_counter()
        views = ViewPlan(policy, 2, 0)
        fill_bank(bank, sources, backend, preprocessing=preprocessing, views=views)
        view_seconds = (time.perf_counter() - began) / (2 * len(sources))
        source = BankSource(bank, [one.digest for one in sources], num_views=2)
        division = divide(backbone, candidate, num_classes=2, size=SIZE)
        division.suffix.to(memory_format=torch.channels_last)
        recipe = replace(Recipe(num_epochs=1, inner_share=0.0), precision="auto")
        recipe = settled(recipe, division.suffix, candidate.shape)
        examples = Examples(
            np.eye(2, dtype=np.float32)[np.arange(len(sources)) % 2],
            np.ones(len(sources), np.float32),
            np.arange(len(sources)),
            np.empty(0, np.int64),
        )

        def epoch(division=division, source=source, examples=examples, recipe=recipe) -> float:
            speed = _Speed()
            train_network(
                division.suffix, source, examples, recipe, depths=division.depths, listener=speed
            )
            return speed.best

        suffixes[word] = (candidate, view_seconds, recipe.precision, backend.name, epoch)
    best = {"naive": 0.0, "tuned": 0.0, **dict.fromkeys(unfreeze, 0.0)}
    for _ in range(ROUNDS):
        best["naive"] = max(best["naive"], naive())
        best["tuned"] = max(best["tuned"], tuned())
        for word, (*_, epoch) in suffixes.items():
            best[word] = max(best[word], epoch())
    for word, (candidate, view_seconds, precision, backend_name, _) in suffixes.items():
        by_image = 1 / best[word] + view_seconds * _VIEWS / (_EPOCHS * _FITS * 0.8)
        rows_of.append(
            (
                f"{title}, {word} (after {candidate.name})",
                f"{best['naive']:.1f}",
                f"{best['tuned']:.1f}",
                f"{best[word]:.0f} ({precision})",
                f"{best[word] / best['naive']:.1f}×",
                f"{best[word] / best['tuned']:.1f}×",
                f"{1 / view_seconds:.0f} ({backend_name})",
                f"{1 / by_image / best['naive']:.1f}×",
                f"{1 / by_image / best['tuned']:.1f}×",
            )
        )
    return rows_of


def main() -> None:
    torch.set_num_threads(num_cores())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        rows += measure(
            "Lite0", load_backbone("tf_efficientnet_lite0"), ("3-stages", "2-stages"), cache
        )
        network = timm.create_model("resnet18", pretrained=False)
        checkpoint = cache / "resnet18.pth"
        torch.save(network.state_dict(), checkpoint)
        rows += measure(
            "ResNet-18", load_backbone("resnet18", weights=checkpoint), ("1-stage",), cache
        )
    print_table(
        (
            "trained",
            "naive, images/s",
            "tuned",
            "Foveal",
            "to naive",
            "to tuned",
            "bank, views/s",
            "with the bank, to naive",
            "to tuned",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
