"""A bank: what a frozen part of a network gives for every view of every image, kept on disk.

Rows are half-precision activations in files of plain numbers (``.npy``) that are mapped, not
read, so a bank may be larger than the memory. A row is known by its image's digest and the
number of its view; the folder by everything else that its numbers depend on. A file counts
once its list of rows stands beside it, so a bank that a crash left behind is continued. Every
file has a digest, which is checked when the bank is opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import short_bytes
from foveal.errors import BackendError, DataError
from foveal.files import write_atomically
from foveal.text import printable

Row = tuple[str, int]
"""An image's digest and the number of its view."""

_FORMAT_VERSION = 1
_SHARD_BYTES = 64_000_000
# What a disk needs for everything else; a full one stops more than this program.
_SPARE_BYTES = 500_000_000


class Bank:
    """Activations [R, *shape] in float16 by image and view.

    Args:
        directory: Where banks lie.
        key: Everything that the numbers depend on besides image and view, by name.
        shape: Of one row, without a batch.

    ``num_damaged`` counts the files that were held but not as they were written; their rows
    are computed anew.
    """

    def __init__(self, directory: Path, *, key: Mapping[str, str], shape: Sequence[int]) -> None:
        parts = {"version": str(_FORMAT_VERSION), **key, "shape": "x".join(map(str, shape))}
        text = json.dumps(parts, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self.folder = directory / "banks" / self.digest[:32]
        self.shape = tuple(shape)
        self.num_damaged = 0
        self._text = text
        self._shards: list[NDArray[np.float16]] = []
        self._position: dict[Row, tuple[int, int]] = {}
        self._pending: dict[Row, NDArray[np.float16]] = {}
        self._open()

    def __contains__(self, row: Row) -> bool:
        return row in self._position

    def __len__(self) -> int:
        return len(self._position)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return 2 * int(np.prod(self.shape))

    def missing(self, rows: Sequence[Row]) -> list[Row]:
        """Returns those of ``rows`` that are not held, each once, in order."""
        return [row for row in dict.fromkeys(rows) if row not in self._position]

    def require_space(self, num_rows: int) -> int:
        """Returns how many bytes so many more rows take.

        Raises:
            DataError: The disk has not that much to spare.
        """
        needed = num_rows * self.row_bytes
        folder = self.folder
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if needed + _SPARE_BYTES > free:
            raise DataError(
                f"The bank needs {short_bytes(needed)} and {short_bytes(_SPARE_BYTES)} to "
                f"spare, but {printable(str(folder))} has {short_bytes(free)} free.",
                next_step="Take fewer views or unfreeze less of the network, or put the cache on "
                "another disk with the variable FOVEAL_CACHE.",
            )
        return needed

    def add(self, row: Row, values: NDArray[np.float32]) -> None:
        """Takes one row; it is kept for good once enough have come or :meth:`flush` is called.

        Args:
            row: Image and view.
            values: As many numbers as the shape has.

        Raises:
            BackendError: A value is not finite, or too large for half precision.
        """
        with np.errstate(over="ignore"):
            half = values.reshape(self.shape).astype(np.float16)
        if not np.isfinite(half).all():
            raise BackendError(
                f"View {row[1]} of the image with digest {row[0][:12]} gives a number that half "
                f"precision cannot hold (the largest is {float(np.abs(values).max()):.3g}; up to "
                "65,504 can be).",
                next_step="Unfreeze another part of the network, or all of it.",
            )
        self._pending[row] = half
        if len(self._pending) * self.row_bytes >= _SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what has come.

        Raises:
            DataError: The disk does not take it.
        """
        if not self._pending:
            return
        rows, values = list(self._pending), np.stack(list(self._pending.values()))
        buffer = io.BytesIO()
        np.save(buffer, values)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        listed = {"digest": digest, "rows": [list(row) for row in rows]}
        file = self.folder / f"{digest[:32]}.npy"
        try:
            if not (self.folder / "key.json").exists():
                write_atomically(self.folder / "key.json", self._text.encode())
            write_atomically(file, content)
            write_atomically(file.with_suffix(".json"), json.dumps(listed).encode())
        except OSError as error:
            raise DataError(
                f"The bank cannot be written to {printable(str(self.folder))}: "
                f"{error.strerror or error}.",
                next_step="Make room, or put the cache on another disk with the variable "
                "FOVEAL_CACHE. What was written is kept.",
            ) from error
        self._pending = {}
        self._map(file, rows)

    def take(self, rows: Sequence[Row]) -> NDArray[np.float16]:
        """Returns [len(rows), *shape].

        Raises:
            KeyError: A row is not held.
        """
        taken = np.empty((len(rows), *self.shape), np.float16)
        for position, row in enumerate(rows):
            shard, index = self._position[row]
            taken[position] = self._shards[shard][index]
        return taken

    def remove(self) -> None:
        """Deletes the bank from the disk."""
        self._shards, self._position, self._pending = [], {}, {}
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self) -> None:
        for listing in sorted(self.folder.glob("*.json")):
            if listing.name == "key.json":
                continue
            file = listing.with_suffix(".npy")
            rows = _checked_rows(listing, file)
            if rows is None:
                self.num_damaged += 1
                for path in (listing, file):
                    with contextlib.suppress(OSError):
                        path.unlink()
            else:
                self._map(file, rows)

    def _map(self, file: Path, rows: Sequence[Row]) -> None:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        for index, row in enumerate(rows):
            self._position[row] = (len(self._shards), index)
        self._shards.append(mapped)


def _checked_rows(listing: Path, file: Path) -> list[Row] | None:
    """Returns the rows of a file, or ``None`` where it is not as it was written."""
    try:
        listed = json.loads(listing.read_text("utf-8"))
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        rows = [(str(name), int(view)) for name, view in listed["rows"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if digest == listed.get("digest") else None
