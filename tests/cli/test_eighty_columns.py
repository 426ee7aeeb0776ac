"""What a terminal of 80 columns shows is wrapped at words; pipes get whole lines."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from foveal.cli.app import _what_is_kept
from foveal.draw.text_layout import display_width
from foveal.text import fold


def on_a_terminal(*words: str) -> list[str]:
    """What a command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-m", "foveal", *words], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux says so at the end
                break
            if not piece:
                break
            written += piece
        process.wait()
    os.close(ours)
    return written.decode().replace("\r", "").splitlines()


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "timm:resnet18", "--input", "3x64x64,12"),
        ("predict", "no-such-run-of-a-rather-long-name-in-some-folder/and-below", "image.png"),
        ("train", "no-such-data", "--budget", "a rather long text that is no time at all"),
        ("lint", "--explain", "X999"),
    ],
    ids=lambda words: words[0],
)
def test_errors_are_wrapped_on_a_terminal(words):
    lines = on_a_terminal(*words)
    assert any(line.startswith("Error: ") for line in lines)
    assert [line for line in lines if display_width(line) > 80 and " " in line.strip()] == []


def test_errors_are_whole_lines_in_a_pipe(foveal):
    shown = foveal("inspect", "timm:resnet18", "--input", "3x64x64,12")
    assert any(len(line) > 80 for line in shown.err.splitlines())


def test_a_word_that_is_longer_than_a_line_stays_whole():
    path = "/a/" + "long/" * 30
    assert path in fold(f"The file {path} is missing from the run.", 80).splitlines()


def test_wide_letters_take_two_columns():
    folded = fold("한국어 " * 30, 80)
    assert max(map(display_width, folded.splitlines())) <= 80
    assert folded.replace("\n", " ") == "한국어 " * 30


@pytest.mark.parametrize(
    ("words", "is_kept"),
    [
        (["train", "photos", "--out", "run"], True),
        (["demo"], True),
        (["predict", "run", "bucket", "--shards=answers"], True),
        (["predict", "run", "photos"], False),
        (["audit", "photos"], False),
        (["explain", "run", "train"], False),
        (["inspect", "timm:resnet18", "--effective"], False),
        ([], False),
    ],
)
def test_only_commands_that_keep_what_they_compute_say_so(words, is_kept):
    assert bool(_what_is_kept(words)) is is_kept


def test_lines_within_a_step_are_wrapped_on_a_terminal(monkeypatch, capsys):
    from foveal.progress import ProgressDisplay

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ProgressDisplay().say("             " + "words of a line about epochs and rates " * 4)
    lines = capsys.readouterr().err.replace("\x1b[2K", "").replace("\r", "").splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 13) for line in lines)
