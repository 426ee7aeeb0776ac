"""Whatever stands behind stdout and stderr, results come out and no traceback does."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import foveal
from foveal.cli.options import echo_json


def _letters_of_the_source() -> set[str]:
    """The letters beyond ASCII in what Foveal says. Lessons have formulas of their own."""
    folder = Path(foveal.__file__).parent
    files = [one for one in folder.rglob("*.py") if "learn" not in one.relative_to(folder).parts]
    nodes = [node for one in files for node in ast.walk(ast.parse(one.read_text("utf-8")))]
    # A text that is a statement by itself is a docstring.
    silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]
    return {x for text in texts for x in text if not x.isascii() and x.isprintable()}


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """``foveal WORDS`` as a process of its own."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "foveal", *words], env=environment, check=False, **options
    )


@pytest.fixture
def named_in_two_scripts(make_shapes: Callable[..., Path]) -> Path:
    data = make_shapes("data", num_per_class=3)
    (data / "circle").rename(data / "Schäden")
    (data / "cross").rename(data / "испорчено")
    return data


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-16-le"])
def test_every_result_can_be_written_in_every_encoding(
    named_in_two_scripts: Path, encoding: str
) -> None:
    done = run(
        "audit", str(named_in_two_scripts), capture_output=True, env={"PYTHONIOENCODING": encoding}
    )
    shown = done.stdout.decode("utf-8" if encoding == "ascii" else encoding)
    assert "Traceback" not in done.stderr.decode("utf-8", "replace")
    assert "9 images in 3 classes" in shown


def test_a_map_and_its_frame_keep_their_width_where_there_are_no_such_letters() -> None:
    drawn = "┌────┐\n│░▒▓█│\n└────┘"
    assert drawn.encode("latin-1", "foveal").decode() == "+----+\n|.:%#|\n+----+"


def test_every_letter_of_the_source_has_a_plain_one() -> None:
    letters = sorted(_letters_of_the_source())
    assert "┌" in letters
    assert [x for x in letters if b"\\" in x.encode("ascii", "foveal")] == []


def test_json_on_a_stream_without_those_letters_is_still_the_same_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    echo_json("audit", {"label": "испорчено 🙂"})
    stream.flush()
    assert json.loads(raw.getvalue().decode("cp1252"))["label"] == "испорчено 🙂"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_is_no_failure(shapes: Path, closed: str) -> None:
    command = f'"$0" -m foveal audit "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(shapes)], capture_output=True, check=False
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_results_that_cannot_be_written_are_an_error_with_its_reason(shapes: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("audit", str(shapes), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert done.stderr.decode().rstrip().endswith("Error: No space left on device.")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_progress_that_cannot_be_written_stops_nothing(shapes: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("audit", str(shapes), stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, b"36 images in 3 classes" in done.stdout) == (0, True)


_WITH_FEW_THREADS = """
import sys, threading, runpy
allowed, start = int(sys.argv.pop(1)), threading.Thread.start
def limited(thread):
    global allowed
    allowed -= 1
    if allowed < 0:
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = limited
runpy.run_module("foveal", run_name="__main__")
"""


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_system_without_threads_is_told_and_nothing_hangs(
    shapes: Path, tmp_path: Path, allowed: int
) -> None:
    words = ("train", str(shapes), "--out", str(tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-c", _WITH_FEW_THREADS, str(allowed), *words],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    assert b"Error: The system did not let another thread be started.\n" in done.stderr
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is of Linux")
def test_too_little_memory_is_told(shapes: Path, tmp_path: Path) -> None:
    command = 'ulimit -v 1500000; exec "$0" -m foveal train "$1" --out "$2"'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(shapes), str(tmp_path / "run")],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    assert b"Error: The memory that this process may use is not enough" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_reader_that_went_away_is_told_as_shells_do(shapes: Path) -> None:
    command = '{ "$0" -m foveal audit "$1"; echo "status $?" >&2; } | true'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(shapes)], capture_output=True, check=False
    )
    assert b"status 141\n" in done.stderr
    assert b"Traceback" not in done.stderr
