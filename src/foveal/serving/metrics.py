"""What happened since the server began, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS: Final = (1.0, 2.0, 4.0, 8.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Histogram:
    ends: tuple[float, ...]
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Metrics:
    """Counters, gauges and histograms by name and labels; safe to use from several threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counters: dict[str, dict[Labels, float]] = field(default_factory=dict)
    _histograms: dict[str, dict[Labels, _Histogram]] = field(default_factory=dict)
    _gauges: dict[str, Callable[[], list[tuple[Labels, float]]]] = field(default_factory=dict)
    _help: dict[str, str] = field(default_factory=dict)

    def describe(self, name: str, text: str) -> None:
        """Says what a metric means."""
        self._help[name] = text

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Adds to a counter."""
        with self._lock:
            series = self._counters.setdefault(name, {})
            key = tuple(labels.items())
            series[key] = series.get(key, 0.0) + amount

    def observe(
        self, name: str, value: float, *, ends: tuple[float, ...] = SECONDS, **labels: str
    ) -> None:
        """Adds one value to a histogram."""
        with self._lock:
            series = self._histograms.setdefault(name, {})
            key = tuple(labels.items())
            found = series.setdefault(key, _Histogram(ends, [0] * (len(ends) + 1)))
            found.counts[bisect.bisect_left(ends, value)] += 1
            found.total += value

    def gauge(self, name: str, read: Callable[[], list[tuple[Labels, float]]]) -> None:
        """Registers what is asked for its values whenever the metrics are."""
        self._gauges[name] = read

    def text(self) -> str:
        """Returns all metrics.

        >>> metrics = Metrics()
        >>> metrics.count("foveal_requests_total", route="/predict")
        >>> print(metrics.text().splitlines()[1])
        foveal_requests_total{route="/predict"} 1
        """
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for name, counted in sorted(self._counters.items()):
            yield from self._head(name, "counter")
            for labels, value in counted.items():
                yield f"{name}{_shown(labels)} {value:g}"
        for name, read in sorted(self._gauges.items()):
            yield from self._head(name, "gauge")
            for labels, value in read():
                yield f"{name}{_shown(labels)} {value:.17g}"
        for name, histograms in sorted(self._histograms.items()):
            yield from self._head(name, "histogram")
            for labels, one in histograms.items():
                below = 0
                for end, number in zip((*one.ends, float("inf")), one.counts, strict=True):
                    below += number
                    shown = "+Inf" if end == float("inf") else f"{end:g}"
                    yield f"{name}_bucket{_shown((*labels, ('le', shown)))} {below}"
                yield f"{name}_sum{_shown(labels)} {one.total:.9g}"
                yield f"{name}_count{_shown(labels)} {below}"

    def _head(self, name: str, kind: str) -> Iterator[str]:
        if name in self._help:
            yield f"# HELP {name} {self._help[name]}"
        yield f"# TYPE {name} {kind}"


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def process_gauges() -> dict[str, Callable[[], list[tuple[Labels, float]]]]:
    """Returns the memory of this process and when it began, as Prometheus names them."""
    began = time.time()
    return {
        "process_resident_memory_bytes": lambda: [((), float(resident_bytes()))],
        "process_start_time_seconds": lambda: [((), began)],
    }


def resident_bytes() -> int:
    """Returns the memory that this process has; 0 where the system does not say."""
    import os

    try:
        with open("/proc/self/statm") as stream:  # noqa: PTH123
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
