"""``foveal learn`` through its front door, and in a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from foveal.learn.answers import spell
from foveal.learn.progress import Review, parse_progress
from foveal.learn.skills import find_exercise
from foveal.learn.store import Store

Run = Callable[..., Any]


def one_review(identity: str) -> Review:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    answer = {"size": "75"}
    return Review(identity, "facts-2", "quiz:2-1", 0, 1, "good", False, answer, (), at)


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def database(data_folder: Path) -> Path:
    return data_folder / "foveal" / "learn" / "progress.sqlite"


class Terminal:
    """A command in a pseudo-terminal of 80 columns."""

    def __init__(self, *words: str, **environment: str) -> None:
        self._file, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "foveal", *words],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment},
        )
        os.close(other)
        self.seen = ""

    def wait_for(self, text: str) -> str:
        """Returns what came up to the text, without colours."""
        deadline = time.monotonic() + 60
        while text not in self._plain(self.seen):
            ready, _, _ = select.select([self._file], [], [], 1)
            if ready:
                try:
                    self.seen += os.read(self._file, 65536).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    break
            assert time.monotonic() < deadline, self.seen
        plain = self._plain(self.seen)
        assert text in plain, plain
        cut = plain.index(text) + len(text)
        before, self.seen = plain[:cut], plain[cut:]
        return before

    def type(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Returns the exit code; kills what still runs after a while."""
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            os.close(self._file)

    @staticmethod
    def _plain(text: str) -> str:
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", text).replace("\r", "")


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(*words: str, **environment: str) -> Terminal:
        opened.append(Terminal(*words, **environment))
        return opened[-1]

    yield open_one
    for each in opened:
        each.process.kill()
        each.process.wait()


def test_a_new_user_corrects_a_first_mistake(
    terminal: Callable[..., Terminal], database: Path
) -> None:
    screen = terminal("learn")
    shown = screen.wait_for("q leave\n")
    assert "Enter: begin with topic 2, output shape" in shown
    screen.type("")
    screen.wait_for("? all commands")
    screen.type("997")  # read by a blank for a number and for a shape, and wrong in both
    screen.wait_for("Try again.")
    with Store(database) as store:
        (review,) = store.reviews()  # kept before anything else happened
    exercise = find_exercise(review.template, seed=review.seed, level=review.level)
    for field in exercise.fields:
        screen.wait_for(":")
        screen.type(spell(field.answer))
    screen.wait_for("Now it is right.")
    screen.wait_for("q leave\n")
    screen.type("q")
    screen.wait_for("1 weak")
    screen.type("q")
    screen.wait_for("Everything answered is kept.")
    assert screen.end() == 0


def test_ctrl_c_keeps_what_was_answered(terminal: Callable[..., Terminal], database: Path) -> None:
    screen = terminal("learn", "quiz", "8", NO_COLOR="1")
    screen.wait_for("Your choice:")
    screen.type("a")
    screen.wait_for("\n\n")
    screen.interrupt()
    screen.wait_for("Everything answered is kept.")
    assert screen.end() == 130
    with Store(database) as store:
        assert len(store.reviews()) == 1


def test_no_colour_and_no_drawing_in_linear_mode(terminal: Callable[..., Terminal]) -> None:
    screen = terminal("learn", "--plain")
    screen.wait_for("q leave")
    assert "\x1b[1m" not in screen.seen
    screen.type("q")
    screen.wait_for("goes on from here")
    assert screen.end() == 0


@pytest.mark.parametrize("words", [("drill",), ("drill", "2", "--test"), ("quiz",), ("quiz", "3")])
def test_without_a_terminal_it_says_so_and_does_not_wait(foveal: Run, words: tuple[str]) -> None:
    outcome = foveal("learn", *words)
    assert outcome.code == 2
    assert "is no terminal" in outcome.err
    assert "Run it in a terminal" in outcome.err


def test_the_map_and_pages_print_without_a_terminal(foveal: Run) -> None:
    shown = foveal("learn")
    assert shown.code == 0
    assert "15. receptive field: new" in shown.out
    page = foveal("learn", "topic", 15)
    assert page.code == 0
    assert "1 → 3 → 7 → 11" in page.out
    assert max(map(len, page.out.splitlines())) <= 80


@pytest.mark.parametrize("number", range(1, 28))
def test_every_page_fits_80_columns(foveal: Run, number: int) -> None:
    lines = foveal("learn", "topic", number).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
    assert not any("`" in line or "**" in line for line in lines)


def test_the_map_as_json(foveal: Run) -> None:
    topics = json.loads(foveal("learn", "--json").out)["topics"]
    assert len(topics) == 27
    assert {topic["state"] for topic in topics} == {"new"}


def test_map_page_and_quiz_do_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom foveal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    )
    for words in (("learn",), ("learn", "topic", "27"), ("learn", "drill", "--list")):
        shown = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert shown.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("topic", 0), "got topic 0, expected a number from 1 to 27"),
        (("topic", "padding"), "'padding' is not a valid integer"),
        (("quiz", 28), "got topic 28"),
        (("drill", 99), "got topic 99"),
        (("drill", 26), "foveal learn quiz 26 asks about it"),
        (("drill", "--test", "--only-wrong"), "do not go together"),
    ],
)
def test_wrong_words_are_wrong_usage(foveal: Run, words: tuple[object], message: str) -> None:
    outcome = foveal("learn", *words)
    assert outcome.code == 2
    assert message in outcome.err


def test_progress_goes_out_and_comes_back(foveal: Run, database: Path, tmp_path: Path) -> None:
    with Store(database) as store:
        store.add(one_review("a"))
    file = tmp_path / "mine.json"
    assert "1 answer written" in foveal("learn", "progress", "export", file).out
    assert parse_progress(file.read_bytes()) == (one_review("a"),)
    assert foveal("learn", "progress", "export", "-").out.startswith('{\n "schema"')
    database.unlink()
    assert "1 answer added, 0 known" in foveal("learn", "progress", "import", file).out
    assert "0 answers added, 1 known" in foveal("learn", "progress", "import", file).out
    assert "1 answer marked the same" in foveal("learn", "check").out
    assert "1 answer marked the same" in foveal("learn", "check", file).out


def test_an_export_does_not_overwrite_what_is_none(foveal: Run, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("chapter one")
    outcome = foveal("learn", "progress", "export", thesis)
    assert outcome.code == 2
    assert "is there already" in outcome.err
    assert thesis.read_text() == "chapter one"


def test_a_hostile_import_adds_nothing(foveal: Run, database: Path, tmp_path: Path) -> None:
    good, bad = one_review("a").to_json(), one_review("b").to_json()
    bad["skill"] = "\x1b]0;owned\x07"
    file = tmp_path / "evil.json"
    file.write_text(
        json.dumps({"schema": "foveal.learn.progress", "version": 1, "reviews": [good, bad]})
    )
    outcome = foveal("learn", "progress", "import", file)
    assert outcome.code == 3
    assert "reviews[1]: 'skill'" in outcome.err
    assert "\x1b" not in outcome.err
    assert not database.exists() or Store(database).reviews() == ()


def test_a_missing_import_is_named(foveal: Run, tmp_path: Path) -> None:
    outcome = foveal("learn", "progress", "import", tmp_path / "none.json")
    assert outcome.code == 3
    assert "none.json" in outcome.err


def test_a_newer_database_is_left_and_learning_goes_on(foveal: Run, database: Path) -> None:
    with Store(database):
        pass
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    outcome = foveal("learn")
    assert outcome.code == 0
    assert "Answers are not kept" in outcome.err
    assert "has version 7, and this Foveal reads up to 1" in outcome.err
    assert foveal("learn", "progress", "export", "-").code == 3


def test_a_data_folder_that_is_a_file_is_named(foveal: Run, data_folder: Path) -> None:
    data_folder.write_text("x")
    outcome = foveal("learn")
    assert outcome.code == 0
    assert "Answers are not kept" in outcome.err
    assert "XDG_DATA_HOME" in outcome.err


def test_a_mark_that_moved_is_an_exit_code(foveal: Run, database: Path) -> None:
    with Store(database) as store:
        store.add(replace(one_review("a"), grade="again", mistakes=()))
    outcome = foveal("learn", "check")
    assert outcome.code == 1
    assert "quiz:2-1, seed 0, level 1: was wrong, is right." in outcome.out
    assert json.loads(foveal("learn", "check", "--json").out)["num_same"] == 0


def test_nothing_to_review_is_said(foveal: Run) -> None:
    outcome = foveal("learn", "review")
    assert outcome.code == 0
    assert "Nothing is due" in outcome.out


def test_a_number_alone_is_the_page_of_the_topic(foveal: Run) -> None:
    assert foveal("learn", 15).out == foveal("learn", "topic", 15).out


NETWORK = """
from torch import nn

def build():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 6 * 6, 10),
    )

class Branching(nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x - 1

def branching():
    return Branching()
"""


@pytest.fixture
def network(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NETWORK)
    return f"{tmp_path / 'net.py'}:build"


def test_an_own_network_makes_drills(foveal: Run, network: str) -> None:
    outcome = foveal("learn", "drill", "--on", network, "--input", "1x28x28", "--list")
    assert outcome.code == 0
    topics = {line.split()[0] for line in outcome.out.splitlines()}
    assert {"2", "4", "15"} <= topics


def test_an_own_network_is_asked_about(terminal: Callable[..., Terminal], network: str) -> None:
    screen = terminal("learn", "drill", "2", "--on", network, "--input", "1x28x28")
    screen.wait_for("? all commands")
    screen.type("w")
    screen.wait_for("Worked solution")
    screen.wait_for("q leave")
    screen.type("q")
    screen.wait_for("goes on from here")
    assert screen.end() == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "1x28x28"), "name that with --on"),
        (("--on", "net.py:build", "--list"), "net.py does not exist"),
        (("--on", "OWN", "--input", "8x1x28x28", "--list"), "expected one image as CxHxW"),
        (("26", "--on", "OWN", "--input", "1x28x28", "--list"), "no drills on topic 26"),
        (("--on", "OWN", "--input", "3x28x28", "--list"), "expects 1 channels, got 3"),
        (("--on", "BRANCHING", "--input", "1x28x28", "--list"), "values"),
    ],
)
def test_a_network_that_cannot_be_asked_about_is_refused_in_words(
    foveal: Run, network: str, words: tuple[str, ...], message: str
) -> None:
    named = {"OWN": network, "BRANCHING": network.replace(":build", ":branching")}
    outcome = foveal("learn", "drill", *(named.get(word, word) for word in words))
    assert outcome.code in (2, 3)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
