"""A server in a process of its own, and what it is asked with."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Server:
    """A server that runs, and what it is asked with."""

    process: subprocess.Popen[str]
    address: str
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def predict(self, data: bytes, kind: str = "image/png", **options: Any) -> httpx.Response:
        headers = {"Content-Type": kind, **options.pop("headers", {})}
        return self.client.post("/predict", content=data, headers=headers, **options)

    def socket(self, *, timeout: float = 20.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def workers(self) -> list[int]:
        """The numbers of the processes that decode."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(FileNotFoundError):  # threads come and go
                found += map(int, (task / "children").read_text().split())
        return found

    def stop(self, number: int | None = signal.SIGTERM) -> tuple[int, str]:
        """Returns the exit status and what was written to stderr; without a signal, waits."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


StartServer = Callable[..., Server]


def start_server(*arguments: object, **options: Any) -> Server:
    command = [sys.executable, "-m", "foveal", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        raise AssertionError(process.communicate()[1])
    client = httpx.Client(base_url=address, timeout=60, trust_env=False)
    return Server(process, address, client)
