"""Decoding that neither disturbs the host program nor is disturbed by it.

Three process-wide switches matter while a decoder runs, and none can be set for one thread
alone: the warning filters, the logger of pydicom, and Pillow's ``LOAD_TRUNCATED_IMAGES``.
``warnings.catch_warnings`` is no answer, since it swaps the filters of all threads. So the
filters placed here look at the running thread and let everybody else's records pass.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from PIL import ImageFile

ANY_ERROR: Final = (Exception,)
"""What a decoder may raise on hostile bytes: anything. Only for steps into a decoder."""


class _Quarantine(threading.local):
    """How deep this thread is inside a quarantine."""

    depth: int = 0


_STATE: Final = _Quarantine()


class _HereOnly(logging.Filter):
    """Matches, as a warning filter, what the quarantined thread says; nothing else.

    The interpreter calls ``match`` on the two patterns of a filter entry. As a logging
    filter it drops that same thread's records, which may quote values from the file.
    """

    def match(self, _text: str) -> bool:
        return _STATE.depth > 0

    def filter(self, record: logging.LogRecord) -> bool:
        return _STATE.depth == 0


_HERE_ONLY: Final = _HereOnly()
_ENTRY: Final[Any] = ("ignore", _HERE_ONLY, Warning, None, 0)
_SILENCED_LOGGER: Final = logging.getLogger("pydicom")
_LOCK: Final = threading.Lock()
_num_strict = 0


@contextmanager
def quarantine() -> Iterator[None]:
    """Keeps this thread's warnings and log records to itself and truncation an error.

    Inside, warnings are dropped, also where the host made them errors, and Pillow refuses
    truncated files, also where the host set ``LOAD_TRUNCATED_IMAGES``; the host's setting
    is put back when the last thread leaves. Other threads' warnings are untouched.
    """
    _place_filters()
    had_to_change = _enter_strict()
    _STATE.depth += 1
    try:
        yield
    finally:
        _STATE.depth -= 1
        if had_to_change:
            _leave_strict()


def _place_filters() -> None:
    filters = cast("list[Any]", warnings.filters)
    # The host, or a test runner, may have replaced the list or put entries before ours.
    if not filters or filters[0] is not _ENTRY:
        with _LOCK:
            if _ENTRY in filters:
                filters.remove(_ENTRY)
            filters.insert(0, _ENTRY)
    if _HERE_ONLY not in _SILENCED_LOGGER.filters:
        _SILENCED_LOGGER.addFilter(_HERE_ONLY)


def _enter_strict() -> bool:
    global _num_strict
    if not ImageFile.LOAD_TRUNCATED_IMAGES and not _num_strict:
        return False  # the usual case, without a lock
    with _LOCK:
        if not ImageFile.LOAD_TRUNCATED_IMAGES and not _num_strict:
            return False
        _num_strict += 1
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        return True


def _leave_strict() -> None:
    global _num_strict
    with _LOCK:
        _num_strict -= 1
        if _num_strict == 0:
            ImageFile.LOAD_TRUNCATED_IMAGES = True
