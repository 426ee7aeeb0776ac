"""``make kill``: a training is killed at every file-system event and at random moments.

After each kill, four questions: is what lies at the run's place whole (or nothing)? Does the
next command finish, with the same figures? Is nothing left over beside it? And where a run was
being replaced: could the old one or the new one be loaded at every moment in between?

``python -m benchmarks kill`` kills at every event; ``MOMENTS=50`` sets how many random moments
are added. ``docs/reliability.md`` holds what it printed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.claims.planted import honest
from benchmarks.measuring import print_table

# What Python tells an audit hook before it touches a file (PEP 578).
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.rmtree")
_OPENS_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def train(data: Path, run: Path, *, overwrite: bool) -> None:
    from foveal.api import make_run
    from foveal.training import TrainConfig

    config = TrainConfig(size_px=64, backend="onnxruntime", num_folds=2)
    make_run(data, run, config=config, overwrite=overwrite, command="kill")


def in_child(work: Callable[[], None]) -> int:
    """Runs ``work`` in a forked process. Returns 0, 1, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:  # the parent asks for the reason
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_events(root: Path, work: Callable[[], None]) -> int:
    """Returns how many file-system events below ``root`` ``work`` causes."""
    read, write = os.pipe()

    def counted() -> None:
        number = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal number
            number += concerns(event, arguments, root)

        sys.addaudithook(hook)
        work()
        os.write(write, str(number).encode())

    if in_child(counted) != 0:
        sys.exit("The training that was to be counted failed.")
    os.close(write)
    with os.fdopen(read) as stream:
        return int(stream.read())


def concerns(event: str, arguments: tuple[object, ...], root: Path) -> bool:
    if event not in EVENTS:
        return False
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _OPENS_TO_WRITE):
        return False
    return any(
        isinstance(one, (str, bytes, os.PathLike)) and os.fsdecode(one).startswith(str(root))
        for one in arguments[:2]
    )


def killed_at_event(root: Path, number: int, work: Callable[[], None]) -> int:
    """Runs ``work`` and kills it right before its ``number``-th event, counted from 1."""

    def armed() -> None:
        left = number

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if concerns(event, arguments, root):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()

    return in_child(armed)


def killed_after(seconds: float, work: Callable[[], None]) -> int:
    def armed() -> None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        # The default action too: a handler waits while a library computes.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        work()

    return in_child(armed)


def accuracy_of(run: Path) -> float:
    from foveal.api import load

    return float(load(run).evidence.metrics.accuracy.estimate or 0.0)


def examine(data: Path, run: Path, expected: float, *, had_run: bool) -> str:
    """Returns ``"fine"``, or what is wrong after a kill."""
    from foveal.errors import RunError

    def look() -> None:
        if run.exists() or had_run:
            accuracy_of(run)

    if in_child(look) != 0:
        return "the run cannot be loaded"

    def repeat() -> None:
        try:
            train(data, run, overwrite=had_run)
        except RunError:
            if had_run:
                raise  # otherwise the killed command had finished its work
        found = accuracy_of(run)
        if found != expected:
            raise ValueError(f"accuracy {found}, expected {expected}")

    if in_child(repeat) != 0:
        return "the next command fails or finds other figures"
    left = [one.name for one in run.parent.iterdir() if one.name not in ("data", "cache", run.name)]
    return f"left over: {', '.join(left)}" if left else "fine"


def kill_everywhere(root: Path, *, had_run: bool, num_moments: int) -> tuple[int, Counter[str]]:
    """Returns the number of events, and how often each outcome followed a kill."""
    os.environ["FOVEAL_CACHE"] = str(root / "cache")
    data, run = root / "data", root / "run"
    random = np.random.default_rng(0)
    honest(data, random)

    def work() -> None:
        train(data, run, overwrite=had_run)

    def prepare() -> None:
        if not had_run:
            shutil.rmtree(run, ignore_errors=True)
        elif not run.exists():
            in_child(lambda: train(data, run, overwrite=False))

    in_child(lambda: train(data, run, overwrite=False))
    expected = accuracy_of(run)
    prepare()
    start = time.perf_counter()
    num_events = count_events(root, work)
    seconds = time.perf_counter() - start
    found: Counter[str] = Counter()

    def note(code: int) -> None:
        if code < 0:
            found[examine(data, run, expected, had_run=had_run)] += 1
        else:
            found["finished before it was killed" if code == 0 else "the training failed"] += 1

    for number in range(1, num_events + 1):
        prepare()
        note(killed_at_event(root, number, work))
    for moment in random.uniform(0, seconds, num_moments):
        prepare()
        note(killed_after(moment, work))
    return num_events, found


def main() -> None:
    num_moments = int(os.environ.get("MOMENTS", "50"))
    import torch  # once, before the forks

    torch.set_num_threads(1)
    rows = []
    for had_run in (False, True):
        with tempfile.TemporaryDirectory() as name:
            num_events, found = kill_everywhere(
                Path(name), had_run=had_run, num_moments=num_moments
            )
        what = "replacing a run" if had_run else "a new run"
        rows += [
            (what, str(num_events), str(num_moments), outcome, str(number))
            for outcome, number in found.most_common()
        ]
    print_table(("training", "events", "random moments", "after the kill", "times"), rows)


if __name__ == "__main__":
    main()
