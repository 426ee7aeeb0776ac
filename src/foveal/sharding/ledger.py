"""The folder that parts are written into: whose they are, and which are still missing.

``_ledger.json`` says of which model, preprocessing and listing the parts are, and
``_listing.parquet`` which images each holds. What begins with ``_`` or ``.`` is passed over by
readers of Parquet folders. A part appears by one rename, so that it is whole or not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from foveal.errors import LedgerError, SchemaError, UsageError
from foveal.files import write_atomically
from foveal.runs.classifier import Classifier
from foveal.runs.folder import NOVELTY_NAME, ONNX_NAME
from foveal.schema import from_json, stamped, to_json, unstamped
from foveal.sharding.listing import Listing, describe_difference, digest_of, write_listing
from foveal.sharding.parts import Contents, PartFacts, read_facts
from foveal.sharding.sources import Kind, Source
from foveal.text import count_noun, printable

LEDGER_NAME: Final = "_ledger.json"
LISTING_NAME: Final = "_listing.parquet"
_LOCK_NAME: Final = "_lock"
_PART: Final = re.compile(r"part-(\d{6,})-of-(\d{6,})\.parquet")
_TEMPORARY: Final = re.compile(r"\.foveal-")

ORIGIN: Final = ("model", "novelty", "operating_point", "preprocessing", "manifest")
"""The digests that say whose a part is."""

_WORDS: Final = {
    "model": "the model",
    "novelty": "what the model takes for unlike its training",
    "operating_point": "the operating point, from which on a class is the label",
    "preprocessing": "the preprocessing",
    "contents": "what the parts hold",
    "kind": "the kind of the source",
    "entries_per_shard": "the number of images in a shard",
    "class_names": "the classes",
}


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """``_ledger.json``.

    Attributes:
        model, novelty, preprocessing, manifest: SHA-256 of the run's ``model.onnx`` and
            ``novelty.safetensors``, of its preprocessing, and of the sorted names and sizes.
        operating_point: Class and threshold, or ``"none"``.
        contents: Answers, or features besides.
        kind: Of the source.
        source: As it was given, in front of every path.
        num_entries: Images, or archives.
        num_shards: As many parts.
        entries_per_shard: In each but the last.
        class_names: In the order of the columns.
        decoders: Versions of what decodes images, where the ledger was begun.
    """

    model: str
    novelty: str
    operating_point: str
    preprocessing: str
    manifest: str
    contents: Contents
    kind: Kind
    source: str
    num_entries: int
    num_shards: int
    entries_per_shard: int
    class_names: tuple[str, ...]
    decoders: Mapping[str, str]

    @property
    def origin(self) -> dict[str, str]:
        """The digests that each part repeats."""
        return {name: getattr(self, name) for name in ORIGIN}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command asks for, before it is known what the folder holds."""

    model: str
    novelty: str
    operating_point: str
    preprocessing: str
    contents: Contents
    class_names: tuple[str, ...]
    decoders: Mapping[str, str]
    entries_per_shard: int | None


DEFAULT_PER_SHARD: Final = 4096


def answer_origin(classifier: Classifier) -> dict[str, str]:
    """Returns what the answers of a run depend on beside the images: digests, by name."""
    files, point = classifier.manifest["files"], classifier.operating_point
    return {
        "model": files[ONNX_NAME]["sha256"],
        "novelty": files[NOVELTY_NAME]["sha256"],
        "operating_point": "none"
        if point is None
        else f"{point.class_name} at {point.threshold!r}",
        "preprocessing": classifier.preprocessing.digest,
    }


@dataclass(frozen=True, slots=True)
class Ledger:
    """A folder of parts, open for one writer.

    Attributes:
        folder: Where they lie.
        facts: Whose they are.
        listing: Which images each holds.
        finished: The footers of the parts that were there, by shard.
        notes: What was set right, one sentence each.
    """

    folder: Path
    facts: LedgerFacts
    listing: Listing
    finished: dict[int, PartFacts]
    notes: tuple[str, ...]

    def missing(self) -> Iterator[int]:
        """Yields the shards that have no part yet."""
        return (n for n in range(self.facts.num_shards) if n not in self.finished)

    def write(self, shard: int, content: bytes) -> Path:
        """Writes one part: beside it, flushed, then renamed."""
        file = self.folder / part_name(shard, self.facts.num_shards)
        write_atomically(file, content)
        return file


def part_name(shard: int, num_shards: int) -> str:
    """Returns the name of a part.

    >>> part_name(3, 12)
    'part-000003-of-000012.parquet'
    """
    return f"part-{shard:06}-of-{num_shards:06}.parquet"


@contextlib.contextmanager
def open_ledger(
    folder: Path, source: Source, wanted: Wanted, *, lists_again: bool = True
) -> Iterator[Ledger]:
    """Begins a ledger, or goes on with one that is of the same work.

    Args:
        folder: New or empty, or a ledger.
        source: What is answered for.
        wanted: With what, and in which form.
        lists_again: Whether the source is listed again to see that it is the same.

    Raises:
        LedgerError: The ledger is of other work, and what differs; or another process writes it.
        UsageError: The folder holds something else.
        SourceLostError: The source cannot be listed.
        OSError: The folder cannot be written.
    """
    _require_apart(folder, source)
    if not (folder / LEDGER_NAME).exists():
        _require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _remove_leftovers(folder)
        if (folder / LEDGER_NAME).exists():
            facts = read_ledger(folder)
            _require_same(folder, facts, source, wanted)
            listing = Listing(folder / LISTING_NAME)
            if lists_again:
                _require_same_images(folder, facts, listing, source)
        else:
            facts = _begin(folder, source, wanted)
            listing = Listing(folder / LISTING_NAME)
        finished, notes = _finished(folder, facts)
        try:
            yield Ledger(folder, facts, listing, finished, notes)
        finally:
            listing.close()


def read_ledger(folder: Path) -> LedgerFacts:
    """Reads ``_ledger.json``.

    Raises:
        LedgerError: There is none, or it is damaged or of another version.
    """
    file = folder / LEDGER_NAME
    try:
        return from_json(LedgerFacts, unstamped("ledger", json.loads(file.read_text("utf-8"))))
    except OSError:
        raise LedgerError(
            f"{printable(str(folder))} has no {LEDGER_NAME}: it is no folder of shards.",
            next_step="Make one with: foveal predict RUN SOURCE --shards OUT",
        ) from None
    except (ValueError, RecursionError, SchemaError) as error:
        raise LedgerError(
            f"{printable(str(file))} cannot be read: {printable(str(error).splitlines()[0])}.",
            next_step="Restore it from a copy, or begin again with another folder.",
        ) from None


def _begin(folder: Path, source: Source, wanted: Wanted) -> LedgerFacts:
    per_shard = source.entries_per_shard or wanted.entries_per_shard or DEFAULT_PER_SHARD
    written = write_listing(folder / LISTING_NAME, source.entries(), per_shard=per_shard)
    facts = LedgerFacts(
        model=wanted.model,
        novelty=wanted.novelty,
        operating_point=wanted.operating_point,
        preprocessing=wanted.preprocessing,
        manifest=written.digest,
        contents=wanted.contents,
        kind=source.kind,
        source=source.shown,
        num_entries=written.num_entries,
        num_shards=written.num_shards,
        entries_per_shard=per_shard,
        class_names=wanted.class_names,
        decoders=dict(wanted.decoders),
    )
    text = json.dumps(stamped("ledger", to_json(facts)), indent=2, ensure_ascii=False)
    # Last, so that a ledger that is there is whole.
    write_atomically(folder / LEDGER_NAME, f"{text}\n".encode())
    return facts


def _require_same(folder: Path, facts: LedgerFacts, source: Source, wanted: Wanted) -> None:
    given = {
        "model": wanted.model,
        "novelty": wanted.novelty,
        "operating_point": wanted.operating_point,
        "preprocessing": wanted.preprocessing,
        "class_names": wanted.class_names,
        "contents": wanted.contents,
        "kind": source.kind,
        "entries_per_shard": wanted.entries_per_shard or facts.entries_per_shard,
    }
    if source.entries_per_shard is not None:
        given["entries_per_shard"] = source.entries_per_shard
    differing = [name for name, value in given.items() if getattr(facts, name) != value]
    if not differing:
        return
    said = "; ".join(
        f"{_WORDS[name]} (there {_short(getattr(facts, name))}, here {_short(given[name])})"
        for name in differing
    )
    raise LedgerError(
        f"{printable(str(folder))} is a ledger of other work. What differs: {said}.",
        next_step="Give --shards another folder, or run with what the ledger was begun with.",
    )


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return printable(", ".join(map(str, value))[:60])
    text = str(value)
    return f"{text[:12]}…" if re.fullmatch(r"[0-9a-f]{64}", text) else printable(text)


def _require_same_images(
    folder: Path, facts: LedgerFacts, listing: Listing, source: Source
) -> None:
    if digest_of(source.entries(), folder) == facts.manifest:
        return
    said = describe_difference(listing, source.entries(), folder)
    raise LedgerError(
        f"{printable(str(folder))} is a ledger of other images. What differs is the manifest: "
        f"{said}.",
        next_step="Give --shards another folder for the images as they are now. To finish the "
        "images that the ledger lists, without looking at what was added: --keep-listing.",
    )


def _require_apart(folder: Path, source: Source) -> None:
    root = getattr(source.storage, "root", None)
    if root is None or source.table is not None or source.names:
        return
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root)):
        raise UsageError(
            f"--shards: {printable(str(folder))} lies in the source itself, whose files would be "
            "answered for, too.",
            next_step="Give a folder beside the source.",
        )


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"--shards: {printable(str(folder))} is a file.", next_step="Give a new folder."
        )
    if not folder.is_dir():
        return
    # What a first attempt leaves behind that was killed before its ledger was written.
    others = [
        one.name
        for one in folder.iterdir()
        if not (one.name in (LISTING_NAME, _LOCK_NAME) or _TEMPORARY.match(one.name))
    ]
    if others:
        raise UsageError(
            f"--shards: {printable(str(folder))} holds other things, such as "
            f"{printable(min(others))}, and no ledger.",
            next_step="Give a new or empty folder, or one that foveal predict --shards began.",
        )


def _finished(folder: Path, facts: LedgerFacts) -> tuple[dict[int, PartFacts], tuple[str, ...]]:
    """Lists the parts that are there, and reads their footers but no image."""
    found: dict[int, PartFacts] = {}
    damaged = 0
    for file in sorted(folder.iterdir()):
        match = _PART.fullmatch(file.name)
        if match is None:
            continue
        shard = int(match[1])
        part = read_facts(file, ORIGIN)
        if part is None:
            damaged += 1
            continue
        differing = [name for name in ORIGIN if part.origin[name] != getattr(facts, name)]
        is_ours = file.name == part_name(shard, facts.num_shards) and part.shard == shard
        if differing or not is_ours or shard >= facts.num_shards:
            what = ", ".join(differing) or "its number"
            raise LedgerError(
                f"{printable(str(file))} is a part of another ledger. What differs: {what}.",
                next_step="Move it elsewhere; its images are then answered for again.",
            )
        found[shard] = part
    notes = (
        (f"{count_noun(damaged, 'part')} could not be read and is made again.",) if damaged else ()
    )
    return found, notes


def _remove_leftovers(folder: Path) -> None:
    for one in folder.iterdir():
        if _TEMPORARY.match(one.name):
            with contextlib.suppress(OSError):
                shutil.rmtree(one) if one.is_dir() else one.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps a second writer out; the system lets go of the lock when this process ends."""
    with (folder / _LOCK_NAME).open("ab") as stream:
        if not _lock(stream):
            raise LedgerError(
                f"Another process is writing to {printable(str(folder))}.",
                next_step="Wait for it, or end it: finished parts are kept.",
            )
        yield


def _lock(stream: IO[bytes]) -> bool:
    """Takes the lock; where the system has none, two writers would write the same bytes."""
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
