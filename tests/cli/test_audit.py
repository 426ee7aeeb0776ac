from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_good_data_are_fine(foveal: Run, shapes: Path) -> None:
    outcome = foveal("audit", shapes)
    assert outcome.code == 0
    assert outcome.out.startswith("36 images in 3 classes, 9 groups.")


def test_json_is_all_there_is_on_stdout(foveal: Run, shapes: Path) -> None:
    assert json.loads(foveal("audit", shapes, "--json").out)["num_images"] == 36


def test_progress_goes_to_stderr_without_escape_codes(foveal: Run, shapes: Path) -> None:
    shown = foveal("audit", shapes).err
    assert "Reading the images" in shown
    assert "\x1b" not in shown


def test_an_error_among_the_findings_is_exit_code_1(foveal: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    outcome = foveal("audit", tmp_path)
    assert outcome.code == 1
    assert "ERROR  Fewer than two classes" in outcome.out


def test_what_is_not_there_is_named(foveal: Run) -> None:
    outcome = foveal("audit", "nowhere")
    assert (outcome.code, outcome.out) == (3, "")
    assert "There is nothing at 'nowhere'." in outcome.err


def test_a_bad_file_is_named_and_fatal_to_nothing(
    foveal: Run, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes()
    (data / "circle" / "broken.jpg").write_text("hello")
    outcome = foveal("audit", data)
    assert outcome.code == 0
    assert "circle/broken.jpg" in outcome.out


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_wants_none(
    tmp_path: Path, no_color: str, is_coloured: bool
) -> None:
    (tmp_path / "a").mkdir()
    shown = _on_a_terminal("audit", str(tmp_path), NO_COLOR=no_color, TERM="xterm")
    assert ("\x1b[31m" in shown) == is_coloured


def _on_a_terminal(*words: str, **variables: str) -> str:
    """Returns what a command writes to stdout when that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "foveal", *words],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not piece:
            break
        shown += piece
    process.wait()
    os.close(ours)
    return shown.decode()
