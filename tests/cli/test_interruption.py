"""Runs that do not end well: interrupted, killed, out of space, in each other's way."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from foveal.interruption import interrupts_remembered
from foveal.progress import ProgressDisplay

Run = Callable[..., Any]


# A shell's background jobs ignore interrupts, and so would what they start.
_LISTEN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from foveal.cli import main
main()
"""


@contextmanager
def started(shapes: Path, run: Path, quick: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """A training in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _LISTEN, "train", str(shapes), "--out", str(run), *quick],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def wait_for(process: subprocess.Popen[str], file: Path) -> None:
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.01)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_its_features_and_nothing_else(
    train: Run, shapes: Path, quick: tuple[str, ...], tmp_path: Path, number: int
) -> None:
    with started(shapes, tmp_path / "run", quick) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Computing features" in line:
                process.send_signal(number)
                break
        said = process.stderr.read()
        assert process.wait() == 128 + number
    assert "Interrupted. What was computed is kept" in said
    assert "Traceback" not in said
    assert names(tmp_path) == []
    outcome = train(shapes, "--out", tmp_path / "run")
    assert "0 images computed, 36 from the cache" in outcome.err


@pytest.mark.slow
def test_a_folder_in_use_is_refused_and_one_left_by_a_kill_is_taken_over(
    train: Run, shapes: Path, quick: tuple[str, ...], tmp_path: Path
) -> None:
    with started(shapes, tmp_path / "run", quick) as process:
        wait_for(process, tmp_path / ".run.partial")
        refused = train(shapes, "--out", tmp_path / "run")
        process.kill()
        process.wait()
    assert refused.code == 3
    assert "Another process is writing" in refused.err
    assert names(tmp_path) == [".run.lock", ".run.partial"]
    assert train(shapes, "--out", tmp_path / "run").code == 0
    assert names(tmp_path) == ["run"]


def test_a_full_disk_is_named_and_leaves_nothing(train: Run, shapes: Path, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        outcome = train(shapes, "--out", tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.code == 3
    assert f"{tmp_path / 'run'} could not be written: File too large" in outcome.err
    assert "computed features are kept" in outcome.err
    assert names(tmp_path) == []


@contextmanager
def handled_by(handler: Any) -> Iterator[None]:
    """Interrupts handled so, whatever the shell that runs the tests has them do."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("hook", ["begin", "end"])
def test_an_interrupt_that_a_library_swallowed_is_raised_again(hook: str) -> None:
    display = ProgressDisplay("quiet")
    with handled_by(signal.default_int_handler), interrupts_remembered():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            display.begin("next") if hook == "begin" else display.end("this", 1.0, "")


def test_where_interrupts_are_ignored_they_stay_ignored() -> None:
    with handled_by(signal.SIG_IGN), interrupts_remembered():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
