"""Running a command as a whole process, and printing tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOVEAL = (sys.executable, "-m", "foveal")


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished process. ``peak_mib`` is the largest resident size it reached."""

    seconds: float
    peak_mib: float
    stdout: str


def run(command: Sequence[str], *, cache: Path, env: Mapping[str, str] | None = None) -> Measured:
    """Runs a command to its end; stops the benchmark when it fails."""
    settings = {**os.environ, "FOVEAL_CACHE": str(cache), **(env or {})}
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=settings, text=True
    )
    # Both pipes hold little, so reading one after the other cannot block the process.
    stdout, stderr = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} exited with {code}:\n{stderr}")
    return Measured(seconds, usage.ru_maxrss / 1024, stdout)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()
