"""A training that is stopped anywhere and goes on ends with the same bits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.errors import RunAlteredError, RunExistsError, RunIncompleteError
from foveal.finetuning.checkpoints import CheckpointFolder, Checkpoints, Origin
from foveal.finetuning.fitting import fit_suffix
from foveal.finetuning.settings import Recipe

RECIPE = Recipe(
    num_epochs=3,
    batch_size=16,
    head_rate=1e-2,
    first_rate=1e-3,
    dropout=0.2,
    mixup=0.2,
    smoothing=0.05,
    num_seeds=2,
)
ORIGIN = Origin({"network weights": "abc", "cut": "layer3"}, {"a.png": "11", "b.png": "22"})


class Killed(Exception):  # noqa: N818
    """Stands for a process that ends."""


class KilledSource:
    """Acts when it is asked for its n-th batch, and otherwise gives what another source gives."""

    def __init__(self, source: Any, at: int, act: Callable[[], None]) -> None:
        self.source, self.left, self.act = source, at, act
        self.digests = source.digests

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        return self.source.views_of(rows, seed=seed, epoch=epoch)

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        self.left -= 1
        if self.left == 0:
            self.act()
        return self.source.batch(rows, views)


def _die() -> None:
    raise Killed


def _fit(kit: Any, source_at: int | None, folder: CheckpointFolder | None) -> bytes:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task)
    if source_at is not None:
        source = KilledSource(source, source_at, _die)
    fitted = fit_suffix(division, source, task, RECIPE, head=kit.head(division), checkpoints=folder)
    return b"".join(value.numpy().tobytes() for value in fitted.weights.values())


@pytest.fixture(scope="module")
def undisturbed(kit: Any) -> bytes:
    return _fit(kit, None, None)


@pytest.mark.parametrize("moments", [(1,), (4, 3), (7, 5, 9), (11, 2), (13, 14, 15)])
def test_killed_anywhere_it_ends_with_the_same_bits(
    kit: Any, undisturbed: bytes, tmp_path: Path, moments: tuple[int, ...]
) -> None:
    for number, moment in enumerate(moments):
        folder = CheckpointFolder(tmp_path / "run", ORIGIN, resume=number > 0)
        with pytest.raises(Killed):
            _fit(kit, moment, folder)
    assert _fit(kit, None, CheckpointFolder(tmp_path / "run", ORIGIN, resume=True)) == undisturbed


def test_ctrl_c_saves_and_goes_on_in_the_middle_of_an_epoch(
    kit: Any, undisturbed: bytes, tmp_path: Path
) -> None:
    folder = CheckpointFolder(tmp_path / "run", ORIGIN, resume=False)
    division, task = kit.divide(), kit.task()
    source = KilledSource(
        kit.source(division, task), 6, lambda: os.kill(os.getpid(), signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        fit_suffix(division, source, task, RECIPE, head=kit.head(division), checkpoints=folder)
    found = folder.of("fit-seed-0").load()
    assert found is not None
    assert found[1]["batch"] > 0
    again = CheckpointFolder(tmp_path / "run", ORIGIN, resume=True)
    assert _fit(kit, None, again) == undisturbed


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for number in range(3):
        kept.save({"x": torch.full((2,), float(number))}, {"epoch": number})
    newest = tmp_path / "checkpoint-1.bin"
    newest.write_bytes(newest.read_bytes()[:-1])
    found = Checkpoints(tmp_path).load()
    assert found is not None
    assert found[1] == {"epoch": 1}
    assert found[0]["x"].tolist() == [1.0, 1.0]


def test_after_damage_the_good_one_is_not_written_over(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for number in range(3):
        kept.save({"x": torch.zeros(1)}, {"epoch": number})
    (tmp_path / "checkpoint-1.bin").write_bytes(b"")
    again = Checkpoints(tmp_path)
    assert again.load() is not None
    again.save({"x": torch.zeros(1)}, {"epoch": 7})
    (tmp_path / "checkpoint-1.bin").write_bytes(b"")
    found = Checkpoints(tmp_path).load()
    assert found is not None
    assert found[1] == {"epoch": 1}


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"format": "other"}', '{"format": "foveal fine-tuning 1"}']
)
def test_a_folder_of_something_else_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "fine-tuning.json").write_text(content)
    with pytest.raises(RunIncompleteError, match="holds no fine-tuning that can be continued"):
        CheckpointFolder(tmp_path, ORIGIN, resume=True)


def test_a_folder_that_is_not_there_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match="holds no fine-tuning"):
        CheckpointFolder(tmp_path / "nowhere", ORIGIN, resume=True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(ORIGIN, images={"a.png": "12", "b.png": "22"}), "1 image changed, first a.png"),
        (replace(ORIGIN, images={"a.png": "11"}), "1 image gone, first b.png"),
        (
            replace(ORIGIN, images={**ORIGIN.images, "c.png": "3", "d.png": "4"}),
            "2 images added, first c.png",
        ),
        (replace(ORIGIN, parts={**ORIGIN.parts, "cut": "layer2"}), "layer3 then, layer2 now"),
        (replace(ORIGIN, parts={**ORIGIN.parts, "seed": "1"}), "seed .none then, 1 now."),
    ],
)
def test_what_changed_since_the_checkpoint_is_named(
    tmp_path: Path, changed: Origin, said: str
) -> None:
    CheckpointFolder(tmp_path / "run", ORIGIN, resume=False)
    with pytest.raises(RunAlteredError, match=said):
        CheckpointFolder(tmp_path / "run", changed, resume=True)


def test_a_leftover_is_neither_used_nor_overwritten_in_silence(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path / "run", ORIGIN, resume=False)
    with pytest.raises(RunExistsError, match="--resume"):
        CheckpointFolder(tmp_path / "run", ORIGIN, resume=False)
