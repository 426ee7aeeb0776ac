"""Shards as tasks of a Ray cluster, begun here or running elsewhere.

Only the source has to be reachable from the workers: the run travels to them, and the parts come
back and are written here. A worker that dies loses one shard, which is begun again elsewhere.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final

from foveal.errors import BackendError, FovealError, MissingExtraError
from foveal.features import num_cores
from foveal.runs.classifier import FILES_FOR_PREDICTION, Classifier, load
from foveal.runs.folder import MANIFEST_NAME
from foveal.sharding.engines import Job, Shard, answer_shard
from foveal.sharding.parts import Contents, Part
from foveal.sharding.sources import Source
from foveal.text import printable

_MAX_ATTEMPTS: Final = 5
_PER_TASK: Final = 2  # waiting tasks for each that runs, so that no worker waits for the driver


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job as it travels.

    Attributes:
        name: Of the run, so that a worker reads it once.
        files: The run's files that prediction needs.
        source: Where the images are.
        origin, contents: As in ``Job``.
        version: Of Foveal here, which must be the worker's.
    """

    name: str
    files: Mapping[str, bytes]
    source: Source
    origin: dict[str, str]
    contents: Contents
    version: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of ours on its way back, in a form that any version can read."""

    kind: str
    message: str
    next_step: str | None


def run_on_ray(job: Job, shards: Iterator[Shard], advance: Callable[[int], None]) -> Iterator[Part]:
    """Yields the part of every shard, in the order in which they are finished.

    Raises:
        MissingExtraError: Ray is not installed.
        BackendError: The cluster cannot be reached, or a shard ends its worker every time.
    """
    waiting = iter(shards)
    first = next(waiting, None)
    if first is None:
        return  # nothing is left to do, so that no cluster is begun for it
    ray = _start(job)
    try:
        task = ray.remote(num_cpus=1, max_retries=0)(work)
        parcel = ray.put(_pack(job))
        num_tasks = job.num_workers or int(ray.cluster_resources().get("CPU", 1))
        running: dict[Any, Shard] = {}
        attempts: dict[int, int] = {}

        def submit(shard: Shard) -> None:
            running[task.remote(parcel, shard)] = shard

        submit(first)
        while running:
            for shard in islice(waiting, max(0, num_tasks * _PER_TASK - len(running))):
                submit(shard)
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                shard = running.pop(reference)
                try:
                    found = ray.get(reference)
                except ray.exceptions.RayTaskError:
                    raise
                except ray.exceptions.RayError as error:  # the worker or its machine is gone
                    # A machine that was taken away says nothing about the shard.
                    is_node = isinstance(error, ray.exceptions.NodeDiedError)
                    attempts[shard.index] = attempts.get(shard.index, 0) + (not is_node)
                    if attempts[shard.index] >= _MAX_ATTEMPTS:
                        raise _given_up(shard, error) from error
                    submit(shard)
                    continue
                if isinstance(found, Failure):
                    raise _raised(found)
                yield found
                advance(len(shard.entries))
    finally:
        ray.shutdown()


def work(parcel: Parcel, shard: Shard) -> Part | Failure:
    """Answers for one shard in a worker."""
    try:
        if parcel.version != version("foveal"):
            raise BackendError(
                f"The workers have Foveal {version('foveal')}, but it was started by "
                f"{parcel.version}.",
                next_step="Install the same version on every machine of the cluster.",
            )
        return answer_shard(
            _classifier(parcel),
            parcel.source,
            shard,
            origin=parcel.origin,
            contents=parcel.contents,
            num_workers=1,
        )
    except FovealError as error:
        return Failure(type(error).__name__, error.message, error.next_step)


_loaded: dict[str, Classifier] = {}


def _classifier(parcel: Parcel) -> Classifier:
    """Returns the run, read once a worker."""
    if parcel.name not in _loaded:
        with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
            for name, content in parcel.files.items():
                (Path(folder) / name).write_bytes(content)
            _loaded.clear()
            _loaded[parcel.name] = load(folder)
    return _loaded[parcel.name]


def _pack(job: Job) -> Parcel:
    folder = job.classifier.folder
    names = (MANIFEST_NAME, *FILES_FOR_PREDICTION)
    return Parcel(
        name="-".join(job.origin.values()),
        files={name: (folder / name).read_bytes() for name in names},
        source=job.source,
        origin=job.origin,
        contents=job.contents,
        version=version("foveal"),
    )


def _start(job: Job) -> Any:
    # Nobody is told what this machine does, and nobody else on it may give the cluster work.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "ray" not in sys.modules:  # it reads these when it is imported; a host chose before
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        if job.address is None:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", purpose="The engine ray") from None
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if job.address is None:
        cores = job.num_workers or num_cores()
        settings |= {"include_dashboard": False, "num_cpus": cores, "address": "local"}
    else:
        settings["address"] = job.address
    try:
        ray.init(**settings)
    except Exception as error:
        where = "on this machine" if job.address is None else f"at {printable(job.address)}"
        raise BackendError(
            f"No Ray cluster can be reached {where}: {printable(str(error).splitlines()[0])}",
            next_step="Check the address and the token (RAY_AUTH_TOKEN), or leave --engine out to "
            "use the cores of this machine.",
        ) from error
    return ray


def _given_up(shard: Shard, error: Exception) -> FovealError:
    first = printable(shard.entries[0].name)
    return BackendError(
        f"The shard {shard.index}, from {first} on, ended its worker {_MAX_ATTEMPTS} times: "
        f"{printable(str(error).splitlines()[0])}",
        next_step="Finished parts are kept. Give the workers more memory, or a smaller "
        "--shard-size in another folder, and run again.",
    )


def _raised(failure: Failure) -> FovealError:
    from foveal import errors

    kind = getattr(errors, failure.kind, FovealError)
    if failure.kind in ("ImageError", "MissingExtraError"):
        kind = FovealError
    found: FovealError = kind(failure.message, next_step=failure.next_step)
    return found
