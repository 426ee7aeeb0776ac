"""An interrupt that no library can lose.

A ``KeyboardInterrupt`` that happens to arrive inside a destructor, a callback or a bare
``except:`` of some library is gone, and the command goes on as if nobody had asked it to stop.
So the handler remembers that it came, and every step of a command asks.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_arrived: list[int] = []


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Remembers Ctrl-C while it lasts; where it is ignored or handled, leaves that alone."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if is_ours:
        signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        _arrived.clear()
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def require_uninterrupted() -> None:
    """Raises what was lost.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and something swallowed it.
    """
    if _arrived:
        raise KeyboardInterrupt


def _remember(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
    raise KeyboardInterrupt
