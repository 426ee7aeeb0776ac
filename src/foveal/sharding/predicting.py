"""From a run and a source to a folder of parts, from the beginning or from where it stopped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foveal.errors import UsageError
from foveal.images import pixel_versions, version_differences
from foveal.runs.classifier import Classifier
from foveal.sharding.engines import EngineName, Job, Shard, find_engine
from foveal.sharding.ledger import Ledger, Wanted, answer_origin, open_ledger
from foveal.sharding.parts import Contents, PartFacts
from foveal.sharding.sources import TableColumns, open_source
from foveal.text import count_noun, printable

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """The choices.

    Attributes:
        engine: Who computes.
        address: Of a Ray cluster; ``None`` begins one on this machine.
        contents: ``"features"`` keeps digest, logits and features of each image as well.
        per_shard: Images in a shard; by default what the ledger has, else 4,096.
        lists_again: Whether a resumed source is listed again to see that it is the same.
        num_workers: Threads, or tasks at once; by default one a core.
        columns: How a table names its images.
    """

    engine: EngineName = "threads"
    address: str | None = None
    contents: Contents = "answers"
    per_shard: int | None = None
    lists_again: bool = True
    num_workers: int | None = None
    columns: TableColumns = field(default_factory=TableColumns)


@dataclass(frozen=True, slots=True)
class Sharded:
    """A finished ledger.

    Attributes:
        folder: Where the parts lie.
        num_parts: All of them.
        num_found: Those that were there already.
        num_rows: Over all parts.
        num_bad: Rows without an answer.
        reasons: How many rows have no answer, by reason, the most frequent first.
        notes: What a reader should know, one sentence each.
    """

    folder: Path
    num_parts: int
    num_found: int
    num_rows: int
    num_bad: int
    reasons: Mapping[str, int]
    notes: tuple[str, ...]


def predict_shards(
    classifier: Classifier,
    paths: Sequence[str | os.PathLike[str]],
    out: Path,
    *,
    options: ShardOptions | None = None,
    progress: Progress | None = None,
) -> Sharded:
    """Answers for every image of a source, one part a shard; finished parts are kept.

    Args:
        classifier: The run.
        paths: One folder, table or URL, or tar archives.
        out: The folder of the parts; a ledger of the same work is gone on with.
        options: The choices.
        progress: Called with (images done, images in all); archives where the source is made
            of them.

    Raises:
        LedgerError: The folder is a ledger of other work; the message names what differs.
        UsageError: Source, folder or engine cannot be what they are.
        SourceLostError: The source cannot be read any more; what is finished is kept.
        MissingExtraError: Ray or fsspec is not installed.
    """
    options = options or ShardOptions()
    engine = find_engine(options.engine)
    if options.per_shard is not None and options.per_shard < 1:
        raise UsageError(
            f"per_shard: got {options.per_shard}, expected a number from 1 on.",
            next_step="Leave it out for 4,096 images in a shard.",
        )
    if options.address is not None and options.engine != "ray":
        raise UsageError(
            f"An address ({printable(options.address)}) was given for the engine {options.engine}.",
            next_step="Add --engine ray.",
        )
    source = open_source(paths, columns=options.columns)
    wanted = Wanted(
        **answer_origin(classifier),
        contents=options.contents,
        class_names=classifier.class_names,
        decoders=pixel_versions(),
        entries_per_shard=options.per_shard,
    )
    with open_ledger(out, source, wanted, lists_again=options.lists_again) as ledger:
        facts = ledger.facts
        # Paths look as they did when the ledger was begun, wherever it is gone on from.
        source = source.shown_as(facts.source)
        job = Job(
            classifier,
            source,
            facts.origin,
            facts.contents,
            num_workers=options.num_workers,
            address=options.address,
        )
        totals = _Totals(ledger, progress)
        for part in engine(job, _shards(ledger), totals.advance):
            ledger.write(part.facts.shard, part.content)
            totals.add(part.facts)
        return totals.result(_version_notes(facts.decoders))


class _Totals:
    """What is counted while parts come in."""

    def __init__(self, ledger: Ledger, progress: Progress | None) -> None:
        self._ledger = ledger
        self._progress = progress
        self._num_rows = 0
        self._reasons: Counter[str] = Counter()
        facts = ledger.facts
        self._num_done = 0
        for shard, part in ledger.finished.items():
            self.add(part)
            is_last = shard == facts.num_shards - 1
            rest = facts.num_entries - (facts.num_shards - 1) * facts.entries_per_shard
            self._num_done += rest if is_last else facts.entries_per_shard
        self.advance(0)

    def add(self, part: PartFacts) -> None:
        self._num_rows += part.num_rows
        self._reasons.update(one.reason for one in part.bad)

    def advance(self, number: int) -> None:
        self._num_done += number
        if self._progress is not None:
            self._progress(self._num_done, self._ledger.facts.num_entries)

    def result(self, notes: tuple[str, ...]) -> Sharded:
        return Sharded(
            folder=self._ledger.folder,
            num_parts=self._ledger.facts.num_shards,
            num_found=len(self._ledger.finished),
            num_rows=self._num_rows,
            num_bad=self._reasons.total(),
            reasons=dict(self._reasons.most_common()),
            notes=(*self._ledger.notes, *notes),
        )


def _shards(ledger: Ledger) -> Iterator[Shard]:
    for index in ledger.missing():
        yield Shard(index, ledger.listing.shard(index))


def _version_notes(recorded: Mapping[str, str]) -> tuple[str, ...]:
    differing = version_differences(recorded)
    if not differing:
        return ()
    return (
        "The ledger was begun with other versions of what decodes images, so pixels of its parts "
        f"may differ slightly ({count_noun(len(differing), 'package')}: "
        f"{printable('; '.join(differing))}).",
    )
