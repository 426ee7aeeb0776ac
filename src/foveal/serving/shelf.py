"""The runs that are served: those that were named, and those in a folder of runs.

A folder is looked at every second. What was written anew is loaded beside what is there, and takes
its place in one step: a request that has begun ends with the version it began with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foveal.errors import FovealError, UsageError
from foveal.runs.folder import MANIFEST_NAME
from foveal.serving.metrics import Metrics
from foveal.serving.problems import RefusedError
from foveal.serving.served_run import ServedRun, load_run
from foveal.text import near_names, printable

_Stamp = tuple[int, int, int]
_MISSED: Final = 3  # looks in a row, so that a folder that changes places is not taken for gone


@dataclass(slots=True)
class _Kept:
    """A run folder that is looked at."""

    folder: Path
    is_named: bool
    stamp: _Stamp | None = None
    num_missed: int = 0
    problem: str | None = None


@dataclass(slots=True)
class Shelf:
    """The runs by their names; read by any thread, changed by :meth:`look` alone.

    Attributes:
        runs: What answers now.
        problems: Why a newer version of a run was not taken up, by name.
    """

    max_pixels: int
    metrics: Metrics
    tell: Callable[[str], None]
    runs: Mapping[str, ServedRun] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _parents: list[Path] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, folders: Sequence[Path]) -> None:
        """Loads the runs that are named, and those in folders that are named.

        Raises:
            RunError: A run cannot be read.
            UsageError: Two have the same name.
        """
        for folder in folders:
            if not (folder / MANIFEST_NAME).exists() and _runs_within(folder):
                self._parents.append(folder)
            else:
                self._add(folder, is_named=True)
        runs = {}
        for folder in self._parents:
            for one in _runs_within(folder):
                self._add(one, is_named=False)
        for name, kept in self._kept.items():
            kept.stamp = _stamp(kept.folder)
            runs[name] = load_run(kept.folder, name=name, max_pixels=self.max_pixels)
        self.runs = runs

    def look(self) -> None:
        """Takes up what was written since; what cannot be read is told, and left as it was."""
        with self._lock:
            self._find_new()
            for name, kept in list(self._kept.items()):
                self._look_at(name, kept)
            self.problems = {
                name: kept.problem for name, kept in self._kept.items() if kept.problem is not None
            }

    def named(self, name: str | None) -> ServedRun:
        """Returns a run; without a name, the only one there is.

        Raises:
            RefusedError: 404 where there is no such run, 400 where a name is needed.
        """
        runs = self.runs
        if name is None:
            if len(runs) == 1:
                return next(iter(runs.values()))
            raise RefusedError(
                400,
                "run_needed",
                f"This server has {len(runs)} runs, and the request names none.",
                next_step=f"Name one with ?run=NAME: {', '.join(sorted(runs)[:20])}.",
            )
        if name in runs:
            return runs[name]
        near = near_names(name, runs) or tuple(sorted(runs)[:20])
        raise RefusedError(
            404,
            "unknown_run",
            f"There is no run {printable(name)[:80]!r}.",
            next_step=f"Name one of those that GET /runs lists, such as {' or '.join(near)}.",
        )

    def _add(self, folder: Path, *, is_named: bool) -> None:
        name = printable(folder.resolve().name)
        known = self._kept.get(name)
        if known is not None:
            if known.folder.resolve() == folder.resolve():
                return
            raise UsageError(
                f"Two runs are called {name!r}: {printable(str(known.folder))} and "
                f"{printable(str(folder))}.",
                next_step="Rename one of the folders; a run is asked by the name of its folder.",
            )
        self._kept[name] = _Kept(folder, is_named)

    def _find_new(self) -> None:
        for parent in self._parents:
            for folder in _runs_within(parent):
                try:
                    self._add(folder, is_named=False)
                except UsageError as error:
                    self._say_once(self._kept[printable(folder.name)], str(error))

    def _look_at(self, name: str, kept: _Kept) -> None:
        stamp = _stamp(kept.folder)
        if stamp is None:
            kept.num_missed += 1
            if kept.num_missed == _MISSED:
                self._take_away(name, kept)
            return
        kept.num_missed = 0
        if stamp == kept.stamp and name in self.runs:
            return
        if stamp == kept.stamp and kept.problem is not None:
            return  # what could not be read has not changed
        kept.stamp = stamp
        try:
            run = load_run(kept.folder, name=name, max_pixels=self.max_pixels)
        except (FovealError, OSError) as error:
            self.metrics.count("foveal_run_loads_total", run=name, result="failed")
            self._say_once(kept, f"{name} was not taken up: {error}")
            return
        kept.problem = None
        self.metrics.count("foveal_run_loads_total", run=name, result="loaded")
        known = self.runs.get(name)
        if known is None or known.version != run.version:
            self.runs = {**self.runs, name: run}
            self.tell(f"{name} is now version {run.version}.")

    def _take_away(self, name: str, kept: _Kept) -> None:
        if kept.is_named:
            self._say_once(
                kept, f"The folder of {name} is gone; it is answered by what was loaded before."
            )
            return
        del self._kept[name]
        self.runs = {key: run for key, run in self.runs.items() if key != name}
        self.tell(f"{name} is gone.")

    def _say_once(self, kept: _Kept, text: str) -> None:
        if kept.problem != text:
            kept.problem = text
            self.tell(text)


def _runs_within(folder: Path) -> list[Path]:
    try:
        return sorted(
            one
            for one in folder.iterdir()
            if not one.name.startswith(".") and (one / MANIFEST_NAME).is_file()
        )
    except OSError:
        return []


def _stamp(folder: Path) -> _Stamp | None:
    try:
        found = (folder / MANIFEST_NAME).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
