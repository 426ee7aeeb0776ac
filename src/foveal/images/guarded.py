"""Decoding in processes that may die: for formats whose headers prove nothing.

A process is started when the first such file comes, kept for the next and replaced when it
ended. Those who have only JPEG and PNG never start one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from foveal.errors import ImageError
from foveal.images.faults import corrupt, too_large
from foveal.images.frames import FrameChoice
from foveal.images.pixels import Raster
from foveal.images.window import FixedRange, Window


@dataclass(frozen=True, slots=True)
class Request:
    """How to decode; see :func:`foveal.images.decode` for the meaning of each."""

    window: Window
    max_pixels: int
    reduce_to_px: tuple[int, int] | None
    frame: FrameChoice

    def to_json(self) -> dict[str, Any]:
        """Returns plain values; :meth:`from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        """Reads what :meth:`to_json` wrote.

        >>> request = Request(Window(), 100, (4, 5), "middle")
        >>> Request.from_json(request.to_json()) == request
        True
        """
        window, reduce_to_px = dict(value["window"]), value["reduce_to_px"]
        window["fixed"] = tuple(FixedRange(**one) for one in window["fixed"])
        return cls(
            window=Window(**window),
            max_pixels=value["max_pixels"],
            reduce_to_px=None if reduce_to_px is None else (reduce_to_px[0], reduce_to_px[1]),
            frame=value["frame"],
        )


# Of processor time, so that a busy machine does not make a good file a bad one.
_CPU_SECONDS: Final = 1.5
_CPU_SECONDS_PER_BYTE: Final = 0.4 / 1_000_000
# Of the clock: for what waits without working, and where no processor time is counted.
_CLOCK_SECONDS: Final = 60.0
_CLOCK_SECONDS_PER_BYTE: Final = 10 / 1_000_000
# No decoder ends itself by these.
_FROM_OUTSIDE: Final = frozenset(
    int(getattr(signal, name)) for name in ("SIGKILL", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_START: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from foveal.images.worker import main; main()"
)
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def decode_guarded(data: bytes, request: Request) -> Raster | None:
    """Decodes in a process of its own; ``None`` where none can be started.

    Raises:
        ImageError: As decoding here raises it; ``too_large`` where it took too long or too
            much memory; ``corrupt`` where the decoder crashed.
    """
    try:
        return _decode_once(data, request)
    except _ShotError:  # perhaps by somebody, which says nothing about the file
        pass
    try:
        return _decode_once(data, request)
    except _ShotError as shot:
        raise shot.error from None


class _ShotError(Exception):
    """The process was shot (SIGKILL): by a kernel without memory, or by somebody."""

    def __init__(self, error: ImageError) -> None:
        super().__init__()
        self.error = error


def _decode_once(data: bytes, request: Request) -> Raster | None:
    from foveal.images.worker import raster_of

    worker = take_worker()
    if worker is None:
        return None
    options = {"request": request.to_json(), "cpu_seconds": cpu_seconds(data)}
    try:
        header, body = worker.ask(
            options, data, seconds=_CLOCK_SECONDS + _CLOCK_SECONDS_PER_BYTE * len(data)
        )
        raster = None if "code" in header else raster_of(header, body)
    except (EOFError, OSError, ValueError, KeyError, TypeError):
        error = worker.end()
        is_shot = worker.was_killed and error.code == "too_large"
        raise (_ShotError(error) if is_shot else error) from None
    except BaseException:
        worker.kill()
        raise
    give_back(worker)
    if raster is None:
        raise refusal(header)
    return raster


def cpu_seconds(data: bytes) -> float:
    """Returns how much processor time a file may take that only trying can judge."""
    return _CPU_SECONDS + _CPU_SECONDS_PER_BYTE * len(data)


def refusal(header: Mapping[str, Any]) -> ImageError:
    """Returns the error that a worker answered with."""
    message, code, step = (header[name] for name in ("message", "code", "next_step"))
    return ImageError(message, code=code, next_step=step)


class Worker:
    """One process and what is known of its end.

    Attributes:
        is_late: Whether it was ended because its time was over.
        was_killed: Whether somebody else killed it: a person, or a kernel without memory.
    """

    def __init__(self) -> None:
        self.is_late = False
        self.was_killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
        )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Waits until its imports are done.

        Raises:
            EOFError: It ended instead.
        """
        from foveal.images.worker import read_message

        assert self._process.stdout is not None
        with self._within(_CLOCK_SECONDS):
            read_message(self._process.stdout)

    def ask(
        self, options: Mapping[str, object], data: bytes, *, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Sends one message and returns the answer, within ``seconds`` of the clock.

        Raises:
            EOFError: It ended instead; :meth:`end` says why.
            OSError: Likewise.
        """
        from foveal.images.worker import read_message, write_message

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._within(seconds):
            write_message(self._process.stdin, options, data)
            return read_message(self._process.stdout)

    def end(self) -> ImageError:
        """Ends the process, and returns what its end says about the file."""
        self._close()
        code = self._process.wait()
        self.was_killed = not self.is_late and -code in _FROM_OUTSIDE
        if self.is_late or code == -getattr(signal, "SIGPROF", 0) < 0:
            return too_large("decoding it takes too long")
        if code == -getattr(signal, "SIGKILL", 0) < 0:  # by the kernel, which had none left
            return too_large("there is not enough memory to decode it")
        return corrupt("the decoder crashed on it")

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self._process.kill()
        self._close()
        self._process.wait()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        def end() -> None:
            self.is_late = True
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


_LOCK: Final = threading.Lock()
_idle: list[Worker] = []
_is_worker = False
_owner = os.getpid()


def take_worker() -> Worker | None:
    """Returns a process that waits for work, a new one if none does.

    ``None`` where none can be started, and within such a process, which needs no other.
    """
    global _owner
    if _is_worker:
        return None
    with _LOCK:
        if _owner != os.getpid():  # a fork: its parent's processes are not its own
            _idle.clear()
            _owner = os.getpid()
        while _idle:
            waiting = _idle.pop()
            if waiting.is_alive():
                return waiting
            waiting.kill()  # it ended meanwhile; the next file is not to blame
    try:
        worker = Worker()
    except OSError:
        return None
    try:
        worker.wait_until_ready()
    except (EOFError, OSError, ValueError):
        worker.kill()
        return None
    return worker


def give_back(worker: Worker) -> None:
    """Keeps a process for the next file."""
    with _LOCK:
        _idle.append(worker)


def become_worker() -> None:
    """Says that this process is one of those: what it decodes, it decodes itself."""
    global _is_worker
    _is_worker = True


@atexit.register
def _end_all() -> None:
    if _owner == os.getpid():
        while _idle:
            _idle.pop().kill()
