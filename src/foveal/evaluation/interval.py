"""An estimate with its 95% interval: what every figure of this room is told in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95% interval.

    ``low`` and ``high`` are ``None`` where no interval can be given (for instance, one
    group alone); ``estimate`` is ``None`` where the figure itself is undefined.
    """

    estimate: float | None
    low: float | None
    high: float | None
