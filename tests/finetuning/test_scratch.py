"""Networks that begin at random, and images on the fly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from foveal.features import ImageSource
from foveal.features.frozen_part import ViewPlan
from foveal.finetuning.checkpoints import Checkpoints
from foveal.finetuning.loop import Examples, accuracy_of, predict_logits
from foveal.finetuning.scratch import SCRATCH, train_from_scratch
from foveal.finetuning.sources import FileSource
from foveal.images import Preprocessing
from foveal.images.augmentation import find_policy
from foveal.models.architectures.resnet import CifarResNet

RECIPE = replace(SCRATCH, num_epochs=8, batch_size=12, average_decay=0.0, mixup=0.0)


@pytest.fixture
def source(shapes: Path) -> Iterator[FileSource]:
    sources = [
        ImageSource(path, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(shapes.rglob("*.png"))
    ]
    views = ViewPlan(find_policy("padded-crop"), 1, 0)
    made = FileSource(sources, Preprocessing(16, 16), views)
    yield made
    made.close()


def examples_of(source: FileSource) -> Examples:
    num_images = len(source.digests)
    labels = np.arange(num_images) * 3 // num_images
    return Examples(
        targets=np.eye(3, dtype=np.float32)[labels],
        weights=np.ones(num_images, np.float32),
        train=np.arange(num_images),
        validation=np.empty(0, np.int64),
    )


def network_of(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return CifarResNet(8, num_classes=3)


def test_a_residual_network_learns_from_its_random_start(source: FileSource) -> None:
    network, examples = network_of(0), examples_of(source)
    trained = train_from_scratch(network, source, examples, RECIPE)
    assert trained.rows[-1].train_loss < 0.8 * trained.rows[1].train_loss
    logits = predict_logits(network, source, examples.train)
    assert accuracy_of(logits, examples.targets) > 0.6
    assert not network.training


def test_stopped_and_continued_it_ends_with_the_same_bits(
    source: FileSource, tmp_path: Path
) -> None:
    recipe, examples = replace(RECIPE, num_epochs=3), examples_of(source)
    whole = train_from_scratch(network_of(0), source, examples, recipe)

    class Stop(Exception):  # noqa: N818
        pass

    class Stopper:
        def begin_fit(self, name: str, num_epochs: int) -> None: ...

        def advance_fit(self, done: int, total: int) -> None:
            if done == 5:
                raise Stop

        def end_epoch(self, row: object) -> None: ...

    kept = Checkpoints(tmp_path)
    with pytest.raises(Stop):
        train_from_scratch(
            network_of(0), source, examples, recipe, checkpoints=kept, listener=Stopper()
        )
    # Another start: everything that counts comes from the checkpoint.
    again = train_from_scratch(
        network_of(1), source, examples, recipe, checkpoints=Checkpoints(tmp_path)
    )
    assert all(torch.equal(value, again.weights[name]) for name, value in whole.weights.items())


def test_every_epoch_shows_another_picture_and_a_view_is_always_the_same(
    source: FileSource,
) -> None:
    rows: NDArray[np.int64] = np.array([3])
    views = [source.views_of(rows, seed=0, epoch=epoch) for epoch in range(3)]
    shown = [source.batch(rows, view) for view in views]
    assert not torch.equal(shown[0], shown[1])
    assert torch.equal(shown[2], source.batch(rows, views[2]))
    plain = source.batch(rows, np.zeros(1, np.int64))
    assert not any(torch.equal(plain, one) for one in shown)
