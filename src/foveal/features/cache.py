"""Feature vectors kept by content, so that no picture is ever run twice.

The key of a vector is the image's digest, the preprocessing's digest, the view, the
weights' digest and the precision. One SQLite file holds the vectors of one combination of
the last four: SQLite gives what matters here, namely that two runs may write at once and
that a killed one leaves nothing half-written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.files import user_folder

_SCHEMA_VERSION = 1
_LOCK_TIMEOUT_SECONDS = 60.0


def cache_directory() -> Path:
    """Returns where caches live: ``FOVEAL_CACHE``, else the XDG cache folder's ``foveal``."""
    if explicit := os.environ.get("FOVEAL_CACHE"):
        return Path(explicit)
    return user_folder("cache")


class FeatureCache:
    """Vectors of one backbone, preprocessing, view and precision, by image digest.

    A cache that cannot be opened or written (no permission, full disk) never stops a run:
    it remembers nothing and says why in ``problem``.
    """

    def __init__(self, directory: Path, *, key_parts: Sequence[str], num_features: int) -> None:
        key = hashlib.sha256("\0".join((str(_SCHEMA_VERSION), *key_parts)).encode()).hexdigest()
        self.path = directory / "features" / f"{key[:32]}.sqlite"
        self.problem: str | None = None
        self._num_features = num_features
        self._connection: sqlite3.Connection | None = None
        with self._degrading():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=_LOCK_TIMEOUT_SECONDS, check_same_thread=False
            )
            # WAL lets a second run read while this one writes.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS features (digest BLOB PRIMARY KEY, vector BLOB) "
                "WITHOUT ROWID"
            )

    def read(self, digests: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yields the digest and vector ``[D]`` of every image that is held."""
        wanted = list(dict.fromkeys(digests))
        for start in range(0, len(wanted), 500):  # SQLite's limit on variables is 999
            for digest, blob in self._select(wanted[start : start + 500]):
                if len(blob) == 4 * self._num_features:
                    yield digest.hex(), np.frombuffer(blob, np.float32)

    def write(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Stores vectors by digest in one transaction."""
        if self._connection is None or not vectors:
            return
        rows = [
            (bytes.fromhex(digest), np.ascontiguousarray(vector, np.float32).tobytes())
            for digest, vector in vectors.items()
        ]
        with self._degrading(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)

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

    def _select(self, digests: Sequence[str]) -> list[tuple[bytes, bytes]]:
        if self._connection is None:
            return []
        marks = ",".join("?" * len(digests))
        rows: list[tuple[bytes, bytes]] = []
        with self._degrading():
            rows += self._connection.execute(
                f"SELECT digest, vector FROM features WHERE digest IN ({marks})",
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
