"""An interrupt that no library can lose.

A ``KeyboardInterrupt`` that happens to arrive inside a destructor, a callback or a bare
``except:`` of some library is gone, and the command goes on as if nobody had asked it to stop.
So the handler remembers that it came, and every step of a command asks.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_arrived: list[int] = []
# Ctrl-C; what kill, a service manager or a batch system sends before it kills for good; and what
# comes when the terminal or the connection to it goes away, which Windows does not have.
_SIGNALS: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
if hasattr(signal, "SIGHUP"):
    _SIGNALS[signal.SIGHUP] = signal.SIG_DFL


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Remembers Ctrl-C, SIGTERM and SIGHUP; where one is ignored or handled, leaves that alone."""
    ours = [
        number
        for number, usual in _SIGNALS.items()
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is usual
    ]
    for number in ours:
        signal.signal(number, _remember)
    try:
        yield
    finally:
        _arrived.clear()
        for number in ours:
            signal.signal(number, _SIGNALS[number])


@contextmanager
def interrupts_deferred() -> Iterator[Callable[[], int | None]]:
    """Lets work end at a point of its own choosing.

    While it lasts, the signals only leave a mark, and the function that is given returns the
    first that came, or ``None``. A second one stops at once, as always. Where one is ignored or
    handled by somebody else than us, that is left alone.
    """
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if arrived:
            _remember(number, frame)
        arrived.append(number)

    before = {
        number: signal.getsignal(number)
        for number, usual in _SIGNALS.items()
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) in (usual, _remember)
    }
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: arrived[0] if arrived else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_uninterrupted() -> None:
    """Raises what was lost.

    Raises:
        KeyboardInterrupt: One of the signals came, and something swallowed it.
    """
    if _arrived:
        raise KeyboardInterrupt(_arrived[0])


def exit_code_of(error: BaseException) -> int:
    """Returns 128 and the number of the signal that an error goes back to, as shells do."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt) and cause.args:
            return 128 + int(cause.args[0])
        cause = cause.__cause__ or cause.__context__
    return 128 + signal.SIGINT


def notes_of(error: BaseException) -> list[str]:
    """Returns the notes that were added to an error or to what it goes back to."""
    found: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        found += getattr(cause, "__notes__", [])
        cause = cause.__cause__ or cause.__context__
    return list(dict.fromkeys(found))


def _remember(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
    raise KeyboardInterrupt(number)
