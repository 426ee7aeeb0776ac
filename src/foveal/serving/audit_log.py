"""One line of JSON an answer: what was asked by its digest, which version answered, and what.

No pixels, names or addresses are in it. A line is on the disk before its answer is given: where
that cannot be, the answer is not given either, so that no answer is missing from the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from foveal.errors import UsageError
from foveal.serving.metrics import Metrics
from foveal.serving.problems import busy
from foveal.text import printable

_RETRY_SECONDS: Final = 5


@dataclass(slots=True)
class _Line:
    content: bytes
    future: asyncio.Future[None]


class AuditLog:
    """Appends to a file from a thread of its own; lines that wait together are flushed together.

    A file that was moved away, as log rotation does, is opened anew under its name.

    Raises:
        UsageError: The file cannot be written, or another server writes to it.
    """

    def __init__(self, file: Path, metrics: Metrics) -> None:
        self._file = file
        self._metrics = metrics
        self._lines: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
        try:
            self._descriptor = self._opened()
        except OSError as error:
            raise UsageError(
                f"The audit log {printable(str(file))} cannot be written: "
                f"{error.strerror or error}.",
                next_step="Give another path with --audit-log; each server needs its own.",
            ) from None
        self._thread = threading.Thread(target=self._work, name="foveal-audit", daemon=True)
        self._thread.start()

    async def write(self, record: dict[str, Any]) -> None:
        """Writes one record, with the time in front; returns when it is on the disk.

        Raises:
            RefusedError: 503, it cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = json.dumps({"time": now, **record}, ensure_ascii=False)
        loop = asyncio.get_running_loop()
        line = _Line(text.encode("utf-8", "backslashreplace") + b"\n", loop.create_future())
        self._lines.put(line)
        try:
            await asyncio.shield(line.future)
        except OSError as error:
            self._metrics.count("foveal_audit_failures_total")
            raise busy(
                "The answer is withheld, since it cannot be written to the audit log "
                f"({error.strerror or error}).",
                code="audit_log",
                seconds=_RETRY_SECONDS,
            ) from None

    def close(self) -> None:
        """Writes what waits, and closes the file."""
        self._lines.put(None)
        self._thread.join(timeout=10)
        os.close(self._descriptor)

    def _opened(self) -> int:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._file, flags, 0o600)
        try:
            _lock(descriptor)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                os.write(descriptor, b"\n")  # a crash left half a line; ours begins a new one
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _work(self) -> None:
        while (first := self._lines.get()) is not None:
            group, is_last = [first], False
            with contextlib.suppress(queue.Empty):
                while True:
                    one = self._lines.get_nowait()
                    if one is None:
                        is_last = True
                        break
                    group.append(one)
            error: OSError | None = None
            try:
                self._append(b"".join(line.content for line in group))
            except OSError as caught:
                error = caught
            for line in group:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    line.future.get_loop().call_soon_threadsafe(_settle, line.future, error)
            if is_last:
                return

    def _append(self, content: bytes) -> None:
        self._follow_rotation()
        size = os.fstat(self._descriptor).st_size
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            # Half a line would spoil the next; the whole group is told that it was not written.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise

    def _follow_rotation(self) -> None:
        there, here = None, os.fstat(self._descriptor)
        with contextlib.suppress(OSError):
            there = self._file.stat()
        if there is not None and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            return
        opened = self._opened()
        os.close(self._descriptor)
        self._descriptor = opened


def _settle(future: asyncio.Future[None], error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
