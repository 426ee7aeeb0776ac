"""The server begins once, and ends by finishing what has begun."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.live import StartServer
from tests.serving.test_connections import answer_of, request_of


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_has_begun_is_answered_and_a_new_one_is_not(
    start: StartServer, run_folder: Path, image: bytes, number: int
) -> None:
    server = start(run_folder)
    with server.socket() as begun:
        begun.sendall(request_of(image)[:-10])
        time.sleep(0.3)
        server.process.send_signal(number)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            server.socket()
        begun.sendall(image[-10:])
        assert answer_of(begun)[0] == 200
    assert server.stop(None)[0] == 0


def test_many_that_have_begun_are_all_answered(
    start: StartServer, run_folder: Path, image: bytes
) -> None:
    server = start(run_folder)
    connections = [server.socket() for _ in range(24)]
    for one in connections:
        one.sendall(request_of(image)[:-1])
    time.sleep(0.5)
    for one in connections:
        one.sendall(image[-1:])
    server.process.send_signal(signal.SIGTERM)
    assert [answer_of(one)[0] for one in connections] == [200] * 24
    for one in connections:
        one.close()
    assert server.stop(None)[0] == 0


def test_idle_connections_do_not_hold_up_the_end(
    start: StartServer, run_folder: Path, image: bytes
) -> None:
    server = start(run_folder)
    silent = server.socket()
    used = server.socket()
    used.sendall(request_of(image))
    assert answer_of(used)[0] == 200
    began = time.monotonic()
    assert server.stop()[0] == 0
    assert time.monotonic() - began < 20
    silent.close()
    used.close()


def test_a_port_that_is_taken_is_said_with_what_to_do(
    foveal: Callable[..., Any], run_folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = foveal("serve", run_folder, "--port", port)
    assert shown.code == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in shown.err
    assert "--port" in shown.err


def test_an_address_that_does_not_exist_is_said(
    foveal: Callable[..., Any], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOVEAL_TOKEN", "correct-horse-battery")
    shown = foveal("serve", run_folder, "--host", "203.0.113.9", "--port", 0)
    assert shown.code == 2
    assert "203.0.113.9" in shown.err


def test_others_may_not_ask_without_a_token(foveal: Callable[..., Any], run_folder: Path) -> None:
    shown = foveal("serve", run_folder, "--host", "0.0.0.0")
    assert shown.code == 2
    assert "no token is given" in shown.err


def test_a_token_file_that_cannot_be_read_is_said(
    foveal: Callable[..., Any], run_folder: Path, tmp_path: Path
) -> None:
    shown = foveal("serve", run_folder, "--token-file", tmp_path / "none")
    assert shown.code == 2
    assert "cannot be read" in shown.err


def test_threads_are_not_left(start: StartServer, run_folder: Path) -> None:
    before = threading.active_count()
    assert start(run_folder).stop(signal.SIGINT)[0] == 0
    assert threading.active_count() == before
