"""Who computes the parts: threads of this process, or the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from foveal.errors import UsageError
from foveal.runs.classifier import Classifier
from foveal.sharding.parts import Contents, Part, make_part
from foveal.sharding.sources import Source
from foveal.sharding.storage import Entry
from foveal.text import near_names

EngineName = Literal["threads", "ray"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One unit of work: the entries that become one part."""

    index: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every shard.

    Attributes:
        classifier: The run.
        source: Where the images are.
        origin: The digests that each part repeats.
        contents: Answers, or features besides.
        num_workers: Threads, or tasks at once; by default one a core.
        address: Of a Ray cluster; ``None`` begins one on this machine.
    """

    classifier: Classifier
    source: Source
    origin: dict[str, str]
    contents: Contents
    num_workers: int | None = None
    address: str | None = None


class Engine(Protocol):
    """Yields the part of every shard, in any order."""

    def __call__(
        self, job: Job, shards: Iterator[Shard], advance: Callable[[int], None]
    ) -> Iterator[Part]:
        """Computes; ``advance`` is told of images that are done."""
        ...


def answer_shard(
    classifier: Classifier,
    source: Source,
    shard: Shard,
    *,
    origin: dict[str, str],
    contents: Contents,
    num_workers: int | None,
) -> Part:
    """Returns the part of one shard: what every engine does in the end."""
    max_pixels = classifier.preprocessing.max_pixels
    return make_part(
        classifier,
        source.images(shard.entries, max_pixels=max_pixels),
        shard=shard.index,
        origin=origin,
        contents=contents,
        num_workers=num_workers,
    )


def run_on_threads(
    job: Job, shards: Iterator[Shard], advance: Callable[[int], None]
) -> Iterator[Part]:
    """One shard after another, each on all cores."""
    for shard in shards:
        yield answer_shard(
            job.classifier,
            job.source,
            shard,
            origin=job.origin,
            contents=job.contents,
            num_workers=job.num_workers,
        )
        advance(len(shard.entries))


def _run_on_ray(
    job: Job, shards: Iterator[Shard], advance: Callable[[int], None]
) -> Iterator[Part]:
    from foveal.sharding.on_ray import run_on_ray

    return run_on_ray(job, shards, advance)


ENGINES: Final[tuple[tuple[EngineName, Engine], ...]] = (
    ("threads", run_on_threads),
    ("ray", _run_on_ray),
)


def find_engine(name: str) -> Engine:
    """Returns an engine by its name.

    Raises:
        UsageError: There is none of that name.
    """
    for known, engine in ENGINES:
        if known == name:
            return engine
    names = [known for known, _ in ENGINES]
    near = near_names(name, names)
    raise UsageError(
        f"There is no engine named {name!r}.",
        next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}.",
    )
