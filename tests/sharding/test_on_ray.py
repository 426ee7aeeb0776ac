"""The same parts from the workers of a Ray cluster, which may die."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks.ray_cluster import task_workers

from foveal.errors import MissingExtraError
from foveal.runs import Classifier
from foveal.sharding import ShardOptions, predict_shards

ON_RAY = ShardOptions(engine="ray", per_shard=8, num_workers=2)


def parts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*"))}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two nodes on this machine, each with one core."""
    if find_spec("ray") is None:  # not imported: it reads its settings then
        pytest.skip("Ray is not installed: pip install 'foveal[ray]'")
    from benchmarks.ray_cluster import two_nodes

    with two_nodes() as address:
        yield address


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own clients and sockets
def test_two_nodes_give_the_parts_of_threads_also_when_workers_die(
    cluster: str, classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    predict_shards(classifier, [many], tmp_path / "threads", options=ShardOptions(per_shard=8))
    options = dataclasses.replace(ON_RAY, address=cluster)
    predict_shards(classifier, [many], tmp_path / "ray", options=options)
    assert parts(tmp_path / "ray") == parts(tmp_path / "threads")
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        for worker in task_workers()[: 1 if done < total else 0]:
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

    predict_shards(classifier, [many], tmp_path / "killed", options=options, progress=kill_one)
    assert killed
    assert parts(tmp_path / "killed") == parts(tmp_path / "threads")


def test_without_ray_its_package_is_named(
    classifier: Classifier, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match="The engine ray needs the package ray"):
        predict_shards(classifier, [many], tmp_path / "parts", options=ON_RAY)
