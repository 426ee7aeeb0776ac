"""Real servers on free ports, in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.serving.live import Server, StartServer, start_server

from foveal.runs import Classifier, load


@pytest.fixture
def start() -> Iterator[StartServer]:
    """Starts servers for one test; they end with it."""
    begun: list[Server] = []

    def begin(*arguments: object, **options: Any) -> Server:
        begun.append(start_server(*arguments, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.client.close()
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture(scope="session")
def server(run_folder: Path) -> Iterator[Server]:
    """A server of the run of shapes, shared: leave it as it is."""
    begun = start_server(run_folder, "--max-megabytes", 4, "--max-megapixels", 2)
    with closing(begun.client):
        yield begun
    begun.process.kill()
    begun.process.communicate()


@pytest.fixture(scope="session")
def classifier(run_folder: Path) -> Classifier:
    """The same run in this process."""
    return load(run_folder)


@pytest.fixture
def image(shapes: Path) -> bytes:
    """One image file."""
    return (shapes / "circle" / "000.png").read_bytes()


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of whoever runs the tests is not theirs."""
    monkeypatch.delenv("FOVEAL_TOKEN", raising=False)
