"""Feature vectors kept by content, so that no image is ever run twice.

The key of a vector is the image's digest, the preprocessing's digest, the view, the
weights' digest and the backend. One SQLite file holds the vectors of one combination of
the last four: SQLite gives what matters here, namely that two runs may write at once and
that a killed one leaves nothing half-written.

What lies on a disk for months is not believed unchecked: every vector has a checksum over
itself and its whole key. One that fails is not given, so that it is computed anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.files import user_folder

_SCHEMA_VERSION = 2
_CHECKSUM_BYTES = 16
_LOCK_TIMEOUT_SECONDS = 60.0
_WAL_WAIT_SECONDS, _NUM_WAL_WAITS = 0.05, 200


def cache_directory() -> Path:
    """Returns where caches live: ``FOVEAL_CACHE``, else the XDG cache folder's ``foveal``."""
    if explicit := os.environ.get("FOVEAL_CACHE"):
        return Path(explicit)
    return user_folder("cache")


class FeatureCache:
    """Vectors of one backbone, preprocessing, view and backend, by image digest.

    A cache that cannot be opened or written (no permission, full disk) never stops a run:
    it remembers nothing and says why in ``problem``. ``num_damaged`` counts the vectors that
    were held but not as they were written.
    """

    def __init__(self, directory: Path, *, key_parts: Sequence[str], num_features: int) -> None:
        key = hashlib.sha256("\0".join((str(_SCHEMA_VERSION), *key_parts)).encode()).hexdigest()
        self.path = directory / "features" / f"{key[:32]}.sqlite"
        self.problem: str | None = None
        self.num_damaged = 0
        self._key = key
        self._num_features = num_features
        self._connection: sqlite3.Connection | None = None
        with self._degrading():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=_LOCK_TIMEOUT_SECONDS, check_same_thread=False
            )
            _use_wal(self._connection)
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS features (digest BLOB PRIMARY KEY, vector BLOB, "
                "checksum BLOB) "
                "WITHOUT ROWID"
            )

    def read(self, digests: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yields the digest and vector ``[D]`` of every image that is held undamaged."""
        wanted = list(dict.fromkeys(digests))
        for start in range(0, len(wanted), 500):  # SQLite's limit on variables is 999
            for digest, blob, checksum in self._select(wanted[start : start + 500]):
                vector = self._checked(digest, blob, checksum)
                if vector is None:
                    self.num_damaged += 1
                else:
                    yield digest.hex(), vector

    def write(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Stores vectors by digest in one transaction."""
        if self._connection is None or not vectors:
            return
        rows = []
        for name, vector in vectors.items():
            digest, blob = bytes.fromhex(name), np.ascontiguousarray(vector, np.float32).tobytes()
            rows.append((digest, blob, self._checksum(digest, blob)))
        with self._degrading(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _checksum(self, digest: bytes, blob: bytes) -> bytes:
        content = self._key.encode() + digest + blob
        return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES).digest()

    def _checked(self, digest: bytes, blob: Any, checksum: Any) -> NDArray[np.float32] | None:
        if not isinstance(blob, bytes) or len(blob) != 4 * self._num_features:
            return None
        if self._checksum(digest, blob) != checksum:
            return None
        vector = np.frombuffer(blob, np.float32)
        return vector if np.isfinite(vector).all() else None

    def _select(self, digests: Sequence[str]) -> list[tuple[bytes, Any, Any]]:
        if self._connection is None:
            return []
        marks = ",".join("?" * len(digests))
        rows: list[tuple[bytes, Any, Any]] = []
        with self._degrading():
            rows += self._connection.execute(
                f"SELECT digest, vector, checksum FROM features WHERE digest IN ({marks})",
                [bytes.fromhex(digest) for digest in digests],
            )
        return rows

    @contextlib.contextmanager
    def _degrading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.problem = f"the feature cache {self.path} is not usable ({error})"
            # OperationalError is the outside's doing (permission, space); the rest is damage.
            if type(error) is sqlite3.DatabaseError:
                self.problem += "; delete it to have it made anew"
            self.close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Lets a second run read while this one writes.

    Where two processes open a new file at the same moment, SQLite refuses this one statement at
    once, whatever the timeout (https://www.sqlite.org/c3ref/busy_handler.html), so it is repeated.
    """
    for left in reversed(range(_NUM_WAL_WAITS)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not left or "locked" not in str(error):
                raise
            time.sleep(_WAL_WAIT_SECONDS)
