"""``foveal serve`` beside a plain FastAPI handler and LitServe, in turns, with equal answers.

``python -m benchmarks.serve_load RUN IMAGES [--peers PYTHON] [--seconds 8] [--clients 8]``. PYTHON
is one that has FastAPI and LitServe (see ``make bench-peers``). Servers take turns, some rounds
each, because machines are shared; in its round a server is alone on the machine with its clients.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import foveal
from benchmarks.measuring import FOVEAL, print_table

PEERS = ("fastapi-onnx", "fastapi-torch", "litserve-torch")
ROUNDS = 2


@dataclass
class Server:
    name: str
    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    seconds: list[float] = field(default_factory=list)
    num_answered: int = 0
    busy_seconds: float = 0.0
    ready_seconds: float = 0.0
    ready_mb: float = 0.0
    loaded_mb: float = 0.0
    max_difference: float = 0.0
    num_failed: int = 0

    def request(self, image: bytes) -> tuple[bytes, dict[str, str]]:
        """LitServe takes no raw bodies."""
        if self.name.startswith("litserve"):
            body = json.dumps({"image": base64.b64encode(image).decode()}).encode()
            return body, {"Content-Type": "application/json"}
        return image, {"Content-Type": "image/png"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default="foveal-demo/run")
    parser.add_argument("images", nargs="?", default="foveal-demo/elpv-500")
    parser.add_argument("--peers", default="benchmarks/peers/.venv/bin/python")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    files = [one.read_bytes() for one in sorted(Path(options.images).rglob("*.png"))[:64]]
    expected = [list(one.probabilities) for one in foveal.predict(options.run, files)]
    servers = [Server("foveal serve", [], free_port())]
    servers[0].command = [*FOVEAL, "serve", options.run, "--port", str(servers[0].port)]
    if Path(options.peers).exists():
        for name in PEERS:
            port = free_port()
            command = [options.peers, "-m", "benchmarks.peers.servers", name, options.run]
            servers.append(Server(name, [*command, str(port)], port))
    else:
        print(f"{options.peers} is not there, so no peers are measured.")
    for _ in range(ROUNDS):
        for server in servers:
            with running(server, files[0]):
                ask_all(server, files, expected, options.clients, 1.0, counts=False)
                ask_all(server, files, expected, options.clients, options.seconds, counts=True)
                server.loaded_mb = max(server.loaded_mb, tree_mb(server))
    print(
        f"{options.clients} clients, {ROUNDS} rounds of {options.seconds:g} s a server, "
        f"{len(files)} images, {len(os.sched_getaffinity(0))} cores\n"
    )
    own = servers[0].num_answered / servers[0].busy_seconds
    rows = []
    for one in servers:
        rate = one.num_answered / one.busy_seconds
        cuts = statistics.quantiles(one.seconds, n=100)
        rows.append(
            [
                one.name,
                f"{rate:.1f}",
                f"{own / rate:.2f}",
                *(f"{1000 * cuts[place - 1]:.0f}" for place in (50, 95, 99)),
                f"{one.max_difference:.1e}",
                str(one.num_failed),
                f"{one.ready_seconds:.2f}",
                f"{one.ready_mb:.0f}",
                f"{one.loaded_mb:.0f}",
            ]
        )
    print_table(
        [
            *("Server", "Images/s", "foveal, times as many", "p50, ms", "p95, ms", "p99, ms"),
            *("Largest difference of a probability", "Not answered", "Ready, s"),
            *("Memory when ready, MB", "Memory under load, MB"),
        ],
        rows,
    )


@contextlib.contextmanager
def running(server: Server, image: bytes) -> Iterator[None]:
    began = time.perf_counter()
    server.process = subprocess.Popen(
        server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port)):
                break
            if server.process.poll() is not None or time.perf_counter() - began > 120:
                sys.exit(f"{server.name} did not start: {' '.join(server.command)}")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        server.ready_seconds = min(server.ready_seconds or seconds, seconds)
        server.ready_mb = max(server.ready_mb, tree_mb(server))
        while ask(server, image) is None:  # LitServe listens before its workers are there
            time.sleep(0.1)
        yield
    finally:
        os.killpg(server.process.pid, signal.SIGTERM)
        try:
            server.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)


def ask(server: Server, image: bytes) -> object | None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/predict", *server.request(image))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status == 200:
            return json.loads(body)
    return None


def ask_all(
    server: Server,
    files: list[bytes],
    expected: list[list[float]],
    num_clients: int,
    seconds: float,
    *,
    counts: bool,
) -> None:
    requests = [server.request(one) for one in files]
    end = time.perf_counter() + seconds
    lock = threading.Lock()

    def client(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while (began := time.perf_counter()) < end:
            place = (place + 1) % len(files)
            connection.request("POST", "/predict", *requests[place])
            answer = connection.getresponse()
            body = answer.read()
            taken = time.perf_counter() - began
            with lock:
                if answer.status != 200:
                    server.num_failed += 1
                    continue
                said = json.loads(body)
                found = list(said["probabilities"].values()) if isinstance(said, dict) else said
                far = max(abs(a - b) for a, b in zip(found, expected[place], strict=True))
                server.max_difference = max(server.max_difference, far)
                if counts:
                    server.seconds.append(taken)
                    server.num_answered += 1
        connection.close()

    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(7 * n,)) for n in range(num_clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if counts:
        server.busy_seconds += time.perf_counter() - began


def tree_mb(server: Server) -> float:
    """Proportional memory of a server's processes: what is shared is counted once."""
    assert server.process is not None
    total = 0
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, StopIteration):
            if os.getpgid(int(folder.name)) == server.process.pid:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += int(next(one for one in lines if one.startswith("Pss:")).split()[1])
    return total / 1000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main()
