"""The learner's reviews on disk: SQLite, one row a review, safe for two terminals at once.

Every answer is committed before the next question is shown, in write-ahead logging with full
synchronisation, so a crash or Ctrl-C loses nothing that was answered.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foveal.errors import ProgressError
from foveal.files import user_folder
from foveal.learn.progress import Review, review_from_json
from foveal.text import printable

SCHEMA_VERSION: Final = 1
# "FVLN": tells the database from anybody else's.
_APPLICATION_ID: Final = 0x46564C4E
_LOCK_TIMEOUT_SECONDS: Final = 30.0

_TABLES = (
    """CREATE TABLE reviews (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        skill TEXT NOT NULL, template TEXT NOT NULL, seed INTEGER NOT NULL,
        level INTEGER NOT NULL, grade TEXT NOT NULL, hinted INTEGER NOT NULL,
        answer TEXT NOT NULL, mistakes TEXT NOT NULL, at_utc TEXT NOT NULL
    )""",
    "CREATE TABLE sittings (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging did.

    Attributes:
        added: Reviews that are new here.
        known: Reviews that were here already.
        different: Reviews whose id was here with other content; those here were kept.
    """

    added: int
    known: int
    different: int


def default_file() -> Path:
    """Returns where progress is kept: the user's data folder."""
    return user_folder("data") / "learn" / "progress.sqlite"


class Store:
    """The reviews and unfinished sittings of one learner.

    Args:
        file: The database, made with its folder if it is not there; None keeps everything in
            memory for as long as the object lives.

    Attributes:
        file: As given.
        damaged: Rows that could not be read; they are left alone.

    Raises:
        ProgressError: It cannot be opened, is no such database, or of a newer version.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.damaged = 0
        self._connection: sqlite3.Connection | None = None
        self._kept: tuple[tuple[int, int], tuple[Review, ...]] | None = None
        with self._explained("opened"):
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                ":memory:" if file is None else file,
                timeout=_LOCK_TIMEOUT_SECONDS,
                isolation_level=None,
            )
            try:
                self._prepare(self._connection)
            except BaseException:
                self.close()
                raise

    def add(self, review: Review) -> None:
        """Keeps a review; on disk when this returns.

        Raises:
            ProgressError: It cannot be written.
        """
        with self._writing() as connection:
            self._insert(connection, review)

    def merge(self, reviews: Iterable[Review]) -> Merged:
        """Keeps those reviews that are not here yet: all of them or, on an error, none.

        Raises:
            ProgressError: They cannot be written.
        """
        added = known = different = 0
        with self._writing() as connection:
            here = {review.id: review for review in self._read(connection)}
            for review in reviews:
                if review.id not in here:
                    self._insert(connection, review)
                    here[review.id] = review
                    added += 1
                elif here[review.id] == review:
                    known += 1
                else:
                    different += 1
        return Merged(added, known, different)

    def reviews(self) -> tuple[Review, ...]:
        """Returns all reviews in the order in which they were kept.

        Raises:
            ProgressError: They cannot be read.
        """
        with self._explained("read"):
            # Tells of another terminal's writing, and of our own.
            (version,) = self._open.execute("PRAGMA data_version").fetchone()
            state = (int(version), self._open.total_changes)
            if self._kept is None or self._kept[0] != state:
                self._kept = (state, tuple(self._read(self._open)))
            return self._kept[1]

    def sitting(self, name: str) -> Mapping[str, Any] | None:
        """Returns an unfinished sitting, such as half a quiz; None if there is none."""
        with self._explained("read"):
            return self._sitting(self._open, name)

    def keep_sitting(self, name: str, content: Mapping[str, Any]) -> None:
        """Keeps an unfinished sitting in place of an earlier one of that name.

        Where it is the same sitting (the same ``"questions"``), what another terminal has
        added to its ``"results"`` in the meantime stays.
        """
        with self._writing() as connection:
            there = self._sitting(connection, name)
            if there is not None and there.get("questions") == content.get("questions"):
                others = there.get("results")
                if isinstance(others, dict):
                    content = {**content, "results": {**others, **content.get("results", {})}}
            connection.execute(
                "INSERT INTO sittings VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                (name, json.dumps(content)),
            )

    def drop_sitting(self, name: str) -> None:
        """Forgets a sitting that was finished."""
        with self._writing() as connection:
            connection.execute("DELETE FROM sittings WHERE name = ?", (name,))

    def close(self) -> None:
        """Closes the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ProgressError("progress: the database is closed.")
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # One transaction: another terminal may be making the tables between two looks.
        connection.execute("BEGIN")
        try:
            self._check_kind(connection)
        finally:
            connection.execute("COMMIT")
        if self.file is not None:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                _retried(connection, "PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Looked at again: another terminal may have made the tables in between.
            if self._check_kind(connection) == 0:
                for table in _TABLES:
                    connection.execute(table)
                connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _check_kind(self, connection: sqlite3.Connection) -> int:
        """Returns the version of the database; 0 for an empty one."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (kind,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if kind == 0 and version == 0 and tables == 0:
            return 0
        if kind != _APPLICATION_ID:
            raise ProgressError(
                f"progress: {self._name} is a database of something else.",
                next_step="Move it away and run the command again.",
            )
        if version > SCHEMA_VERSION:
            raise ProgressError(
                f"progress: {self._name} has version {version}, and this Foveal reads up to "
                f"{SCHEMA_VERSION}. It was left as it is.",
                next_step="Install the newer Foveal that wrote it.",
            )
        return int(version)

    def _read(self, connection: sqlite3.Connection) -> Iterator[Review]:
        self.damaged = 0
        rows = connection.execute(
            "SELECT id, skill, template, seed, level, grade, hinted, answer, mistakes, at_utc "
            "FROM reviews ORDER BY sequence"
        )
        for row in rows:
            names = ("id", "skill", "template", "seed", "level", "grade")
            try:
                yield review_from_json(
                    {
                        **dict(zip(names, row, strict=False)),
                        "hinted": bool(row[6]),
                        "answer": json.loads(row[7]),
                        "mistakes": json.loads(row[8]),
                        "at_utc": row[9],
                    }
                )
            except (ProgressError, ValueError, TypeError, RecursionError):
                self.damaged += 1

    def _sitting(self, connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
        row = connection.execute("SELECT content FROM sittings WHERE name = ?", (name,)).fetchone()
        try:
            content = json.loads(row[0]) if row is not None else None
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def _insert(self, connection: sqlite3.Connection, review: Review) -> None:
        content = review.to_json()
        content["answer"] = json.dumps(content["answer"])
        content["mistakes"] = json.dumps(content["mistakes"])
        names = ", ".join(content)
        marks = ", ".join(f":{name}" for name in content)
        connection.execute(f"INSERT INTO reviews ({names}) VALUES ({marks})", content)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._open
        with self._explained("written"):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @property
    def _name(self) -> str:
        return "the progress in memory" if self.file is None else printable(str(self.file))

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise ProgressError(f"progress: this review is in {self._name} already.") from error
        except sqlite3.DatabaseError as error:
            reason = str(error)
            raise ProgressError(
                f"progress: {self._name} cannot be {done} ({printable(reason)}).",
                next_step=_advice(reason),
            ) from error
        except OSError as error:
            raise ProgressError(
                f"progress: {self._name} cannot be {done} ({error.strerror or error}).",
                next_step="Set XDG_DATA_HOME to a folder that you may write to.",
            ) from error


def _advice(reason: str) -> str:
    if "not a database" in reason or "malformed" in reason:
        return (
            "Move it away and run the command again; `foveal learn progress import` brings an "
            "export back."
        )
    if "full" in reason:
        return "Free some space, or set XDG_DATA_HOME to a folder on another disk."
    if "locked" in reason:
        return "Another terminal has been writing for a long time; try again."
    return "Set XDG_DATA_HOME to a folder that you may write to."


def _retried(connection: sqlite3.Connection, statement: str) -> None:
    """Runs a statement that does not wait for a lock by itself."""
    for attempt in range(50):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == 49:
                raise
            time.sleep(0.05)
        else:
            return
