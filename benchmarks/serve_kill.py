"""``foveal serve`` for a long time while its workers are killed: every request is answered.

``python -m benchmarks.serve_kill RUN IMAGES [--requests 100000] [--kills-a-second 2]``. A request
that is told to come again (503) comes again, and is counted. The audit log must hold a line for
every answer that was given, and none that was not.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import foveal
from benchmarks.measuring import FOVEAL, print_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default="foveal-demo/run")
    parser.add_argument("images", nargs="?", default="foveal-demo/elpv-500")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--kills-a-second", type=float, default=2.0)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    files = [one.read_bytes() for one in sorted(Path(options.images).rglob("*.png"))[:64]]
    expected = [list(one.probabilities) for one in foveal.predict(options.run, files)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "audit.jsonl"
        command = [*FOVEAL, "serve", options.run, "--port", "0", "--audit-log", str(log)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port = int(address.rstrip("/").rpartition(":")[2])
        outcomes: Counter[str] = Counter()
        began = time.perf_counter()
        kills = load(process.pid, port, files, expected, outcomes, options)
        seconds = time.perf_counter() - began
        memory = resident_mb(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        answered = sum(one["status"] == 200 for one in lines)
    rows = [
        ["Requests", f"{options.requests:,}"],
        ["Workers killed", f"{kills:,}"],
        ["Right answers", f"{outcomes['right']:,}"],
        ["Wrong answers", f"{outcomes['wrong']:,}"],
        ["Lost (no answer at all)", f"{outcomes['lost']:,}"],
        ["Told to come again (503), and came", f"{outcomes['again']:,}"],
        ["Other answers", f"{outcomes['other']:,}"],
        ["Answers in the audit log", f"{answered:,}"],
        ["Seconds", f"{seconds:.0f}"],
        ["Memory of the server at the end, MB", f"{memory:.0f}"],
        ["Exit status", str(process.returncode)],
    ]
    print_table(["What", "How many"], rows)


def load(
    pid: int,
    port: int,
    files: list[bytes],
    expected: list[list[float]],
    outcomes: Counter[str],
    options: argparse.Namespace,
) -> int:
    left = iter(range(options.requests))
    lock, ended, kills = threading.Lock(), threading.Event(), [0]

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return connection.close()
            place = number % len(files)
            outcome = one_request(connection, files[place], expected[place], outcomes, lock)
            with lock:
                outcomes[outcome] += 1

    def kill() -> None:
        chance = random.Random(0)
        while not ended.wait(chance.expovariate(options.kills_a_second)):
            with contextlib.suppress(OSError, IndexError):
                os.kill(chance.choice(children(pid)), signal.SIGKILL)
                kills[0] += 1

    killer = threading.Thread(target=kill)
    killer.start()
    clients = [threading.Thread(target=client) for _ in range(options.clients)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    ended.set()
    killer.join()
    return kills[0]


def one_request(
    connection: http.client.HTTPConnection,
    data: bytes,
    expected: list[float],
    outcomes: Counter[str],
    lock: threading.Lock,
) -> str:
    while True:
        try:
            connection.request("POST", "/predict", data, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            return "lost"
        if answer.status == 503:
            with lock:
                outcomes["again"] += 1
            time.sleep(int(answer.headers["Retry-After"]))
            continue
        if answer.status != 200:
            return "other"
        return "right" if list(content["probabilities"].values()) == expected else "wrong"


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # threads come and go
            found += map(int, (task / "children").read_text().split())
    return found


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
