"""Steps as they go, on stderr: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Literal

from foveal.interruption import require_uninterrupted
from foveal.text import fold, printable

# A bar for less than this would only flicker.
_BAR_AFTER_SECONDS = 2.0
_COLUMNS = 80
_CLEAR_LINE = "\r\x1b[2K"


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """A ``StepListener`` that draws.

    Args:
        mode: ``"quiet"`` draws nothing.
    """

    def __init__(self, mode: Literal["auto", "quiet"] = "auto") -> None:
        self._is_quiet = mode == "quiet"
        self._is_terminal = sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._title: str | None = None
        self._began = 0.0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Draws one step of a command that has no log of its own; ``advance`` moves it."""
        self.begin(title)
        start = time.perf_counter()
        yield
        self.end(title, time.perf_counter() - start, "")

    def begin(self, title: str) -> None:
        """Announces a step.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed before, and something swallowed it.
        """
        require_uninterrupted()
        self._title = title
        self._began = time.perf_counter()
        if self._is_terminal and not self._is_quiet:
            self._write(f"{'…':>9}  {title}")

    def advance(self, done: int, total: int) -> None:
        """Moves the bar, which appears once the step has taken a while."""
        if self._is_quiet or not self._is_terminal or total == 0:
            return
        if self._bar is None:
            if time.perf_counter() - self._began < _BAR_AFTER_SECONDS:
                return
            self._open_bar()
        self._bar.update(self._task, completed=done, total=total)

    def say(self, line: str) -> None:
        """Writes a line of a step that goes on, above its bar."""
        if self._is_quiet:
            return
        line = printable(line)
        if self._is_terminal:
            start = line[: len(line) - len(line.lstrip())]
            line = fold(line, _COLUMNS, indent=start + "  ")
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._write(f"{_CLEAR_LINE if self._is_terminal else ''}{line}\n")

    def end(self, title: str, seconds: float, detail: str) -> None:
        """Closes the step: how long it took, its title, and what there is to say about it.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed meanwhile, and something swallowed it.
        """
        require_uninterrupted()
        self._close_bar()
        self._title = None
        if self._is_quiet:
            return
        text = printable(f"{title}: {detail}" if detail else title)
        head = f"{seconds:7.1f} s  "
        lines = textwrap.fill(
            text, _COLUMNS, initial_indent=head, subsequent_indent=" " * len(head)
        )
        self._write(f"{_CLEAR_LINE if self._is_terminal else ''}{lines}\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_bar()
        if self._title is not None and self._is_terminal and not self._is_quiet:
            self._write("\n")  # the step that failed keeps its line

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._write(_CLEAR_LINE)
        self._bar = Progress(
            TextColumn("           {task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(self._title or "", total=1)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def _write(self, text: str) -> None:
        # Nobody loses an hour of work because nobody could read how far it was.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
