"""The sorted list of a source's entries, on disk: one row group of a Parquet file a shard.

It is sorted in pieces that fit into memory, so that a billion names take no more of it than a
hundred thousand.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import os
import secrets
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from foveal.dataset.manifest import natural_key
from foveal.errors import DataError, LedgerError
from foveal.sharding.storage import Entry
from foveal.text import count_noun, printable

_SORTED_AT_ONCE: Final = 100_000
_MERGED_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: its digest, entries and shards."""

    digest: str
    num_entries: int
    num_shards: int


def write_listing(file: Path, entries: Iterable[Entry], *, per_shard: int) -> Written:
    """Sorts entries and writes them, at once; an entry that comes twice is written once.

    Raises:
        DataError: There is none.
        OSError: The file cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    temporary = file.with_name(f".foveal-{secrets.token_hex(8)}")
    digest = Digest()
    num_shards = 0
    schema = pa.schema(
        [("name", pa.binary()), ("size", pa.int64()), ("code", pa.string()), ("why", pa.string())]
    )
    try:
        with (
            contextlib.closing(sorted_entries(entries, file.parent)) as ordered,
            parquet.ParquetWriter(temporary, schema) as writer,
        ):
            while shard := list(islice(ordered, per_shard)):
                for one in shard:
                    digest.add(one)
                columns = [
                    [os.fsencode(one.name) for one in shard],
                    [one.size_bytes for one in shard],
                    [one.code for one in shard],
                    [one.message for one in shard],
                ]
                arrays = [
                    pa.array(column, kind.type)
                    for column, kind in zip(columns, schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema), per_shard)
                num_shards += 1
        if not num_shards:
            raise DataError(
                "The source holds no image.",
                next_step="Check its path; what begins with a dot is passed over.",
            )
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Written(digest.hex(), digest.num_entries, num_shards)


class Listing:
    """A listing that was written, read a shard at a time."""

    def __init__(self, file: Path) -> None:
        from pyarrow import ArrowException, parquet

        try:
            self._file: Any = parquet.ParquetFile(file)
        except (OSError, ArrowException) as error:
            raise LedgerError(
                f"{printable(str(file))} cannot be read: {printable(str(error))}.",
                next_step="Restore it from a copy, or begin again with another folder.",
            ) from None
        self.num_shards: int = self._file.num_row_groups

    def shard(self, index: int) -> tuple[Entry, ...]:
        """Returns the entries of one shard, in order."""
        table = self._file.read_row_group(index)
        columns = (table.column(name).to_pylist() for name in ("name", "size", "code", "why"))
        return tuple(
            Entry(os.fsdecode(name), size, code, why)
            for name, size, code, why in zip(*columns, strict=True)
        )

    def __iter__(self) -> Iterator[Entry]:
        for index in range(self.num_shards):
            yield from self.shard(index)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class Digest:
    """SHA-256 over the names, sizes and problems of sorted entries."""

    def __init__(self) -> None:
        self.num_entries = 0
        self._total = hashlib.sha256()

    def add(self, entry: Entry) -> None:
        """Takes one entry more."""
        self.num_entries += 1
        size = "" if entry.size_bytes is None else str(entry.size_bytes)
        fields = (os.fsencode(entry.name), size.encode(), (entry.code or "").encode())
        # Lengths in front, so that no two different entries can run together alike.
        self._total.update(b"".join(b"%d:%s" % (len(field), field) for field in fields))

    def hex(self) -> str:
        """Returns the digest so far."""
        return self._total.hexdigest()


def digest_of(entries: Iterable[Entry], scratch: Path) -> str:
    """Returns the digest that a listing of these entries would have."""
    digest = Digest()
    with contextlib.closing(sorted_entries(entries, scratch)) as ordered:
        for one in ordered:
            digest.add(one)
    return digest.hex()


def describe_difference(known: Iterable[Entry], found: Iterable[Entry], scratch: Path) -> str:
    """Returns in words what was added, removed and changed since a listing was written."""
    counts = {"added": 0, "removed": 0, "changed": 0}
    first: dict[str, str] = {}

    def note(what: str, entry: Entry) -> None:
        counts[what] += 1
        first.setdefault(what, printable(entry.name))

    with contextlib.closing(sorted_entries(found, scratch)) as ordered:
        old, new = iter(known), iter(ordered)
        one, other = next(old, None), next(new, None)
        while one is not None or other is not None:
            if other is None or (one is not None and _key(one) < _key(other)):
                assert one is not None
                note("removed", one)
                one = next(old, None)
            elif one is None or _key(other) < _key(one):
                note("added", other)
                other = next(new, None)
            else:
                if (one.size_bytes, one.code) != (other.size_bytes, other.code):
                    note("changed", other)
                one, other = next(old, None), next(new, None)
    said = [
        f"{count_noun(number, 'image')} {what} (first {first[what]})"
        for what, number in counts.items()
        if number
    ]
    return ", ".join(said) or "the same images in another order"


def _key(entry: Entry) -> Any:
    return natural_key(entry.name)


def sorted_entries(entries: Iterable[Entry], scratch: Path) -> Generator[Entry]:
    """Yields entries in natural order of their names, each name once.

    Args:
        entries: In any order.
        scratch: A folder for what memory should not hold.
    """
    with tempfile.TemporaryDirectory(prefix=".foveal-", dir=scratch) as folder:
        pieces: list[Path] = []
        waiting = iter(entries)
        part = sorted(islice(waiting, _SORTED_AT_ONCE), key=_key)
        while len(part) == _SORTED_AT_ONCE:
            pieces.append(_keep(part, Path(folder)))
            if len(pieces) == _MERGED_AT_ONCE:  # open files are few
                pieces = [_keep(_merged(pieces), Path(folder))]
            part = sorted(islice(waiting, _SORTED_AT_ONCE), key=_key)
        before: str | None = None
        for one in heapq.merge(*map(_kept, pieces), part, key=_key):
            if one.name != before:
                yield one
            before = one.name


def _merged(pieces: list[Path]) -> Iterator[Entry]:
    yield from heapq.merge(*map(_kept, pieces), key=_key)
    for piece in pieces:
        piece.unlink()


def _keep(entries: Iterable[Entry], folder: Path) -> Path:
    file = folder / secrets.token_hex(8)
    with file.open("w", encoding="ascii") as stream:
        for one in entries:
            stream.write(json.dumps((one.name, one.size_bytes, one.code, one.message)) + "\n")
    return file


def _kept(file: Path) -> Iterator[Entry]:
    with file.open(encoding="ascii") as stream:
        for line in stream:
            yield Entry(*json.loads(line))
