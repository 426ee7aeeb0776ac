"""Processes that decode may be killed at any moment: every request has its answer all the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.serving.live import Server, StartServer

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="it reads /proc")


def test_images_are_decoded_outside_of_the_server(server: Server, image: bytes) -> None:
    server.predict(image)
    assert len(server.workers()) >= 1


def test_killed_workers_lose_no_request(start: StartServer, run_folder: Path, shapes: Path) -> None:
    server = start(run_folder, "--workers", 2)
    files = sorted(shapes.glob("*/*.png"))
    expected = {one: server.predict(one.read_bytes()).json() for one in files}
    chance, lock = random.Random(0), threading.Lock()
    counts = {"answers": 0, "kills": 0}

    def ask(file: Path) -> httpx.Response:
        answer = server.predict(file.read_bytes())
        with lock:  # by answers and not by the clock: a busy machine starts processes slowly
            counts["answers"] += 1
            workers = server.workers()
            if counts["answers"] % 8 == 0 and workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    counts["kills"] += 1
        return answer

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, files * 4))
    assert counts["kills"] >= 10
    for one, answer in zip(files * 4, found, strict=True):
        assert answer.json() == expected[one]
    assert server.stop() == (
        0,
        "Open it in a browser, or ask it as docs/serving.md shows. Ctrl-C ends it.\nEnded.\n",
    )


def test_no_process_is_left_when_the_server_ends(
    start: StartServer, run_folder: Path, image: bytes
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        server = start(run_folder)
        server.predict(image)
        workers = server.workers()
        assert workers
        code, _ = server.stop(number)
        assert code == (0 if number != signal.SIGKILL else -signal.SIGKILL)
        for one in workers:
            wait_until_gone(one)


def wait_until_gone(number: int) -> None:
    import time

    for _ in range(200):
        state = Path(f"/proc/{number}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {number} is still there")
