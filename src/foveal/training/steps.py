"""The named steps of a long job: announced, timed, and kept for the run's history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class StepListener(Protocol):
    """Somebody who wants to follow: the command line's progress display, for instance."""

    def begin(self, title: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int) -> None:
        """Part of the step is done; called often, from one thread."""

    def end(self, title: str, seconds: float, detail: str) -> None:
        """The step is over; ``detail`` is what there is to say about it, or empty."""

    def say(self, line: str) -> None:
        """A step has a line to show while it goes on, such as a row of a table."""


class StepLog:
    """Runs steps, tells a listener, and remembers what happened.

    ``clock`` gives seconds; it is an argument so that tests need not wait.
    """

    def __init__(
        self,
        listener: StepListener | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._start = self._step_start = clock()
        self.seconds: dict[str, float] = {}
        self.events: list[dict[str, Any]] = []

    @property
    def total_seconds(self) -> float:
        """Seconds since the log was made."""
        return self._clock() - self._start

    @property
    def step_seconds(self) -> float:
        """Seconds since the step in progress began."""
        return self._clock() - self._step_start

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Runs one step. ``name`` is its key in the history, ``title`` what people read."""
        step = Step(self._listener)
        if self._listener is not None:
            self._listener.begin(title)
        start = self._step_start = self._clock()
        yield step
        seconds = self._clock() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.events.append({"step": name, "seconds": round(seconds, 3), **step.facts})
        if self._listener is not None:
            self._listener.end(title, seconds, step.detail)


class Step:
    """A step in progress: reports how far it is, and collects facts for the history."""

    def __init__(self, listener: StepListener | None) -> None:
        self._listener = listener
        self.facts: dict[str, Any] = {}
        self.detail = ""

    def progress(self, done: int, total: int) -> None:
        """Tells how much is done."""
        if self._listener is not None:
            self._listener.advance(done, total)

    def say(self, line: str) -> None:
        """Shows a line while the step goes on."""
        if self._listener is not None:
            self._listener.say(line)

    def note(self, detail: str, **facts: Any) -> None:
        """Sets the line people read at the end, and facts for the history."""
        self.detail = detail
        self.facts.update(facts)
