from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from foveal.cli.app import COMMANDS

Run = Callable[..., Any]
NAMES = [name for name, _, _ in COMMANDS]

# Runs the command line as the shell would, then tells what it had to import.
_TELL_IMPORTS = """
import sys
from foveal.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("IMPORTED", sorted({"torch", "numpy", "onnxruntime", "sklearn"} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", [None, *NAMES])
def test_help_shows_an_example_and_waits_for_nothing(name: str | None) -> None:
    words = [word for word in (name, "--help") if word]
    shown = subprocess.run(
        [sys.executable, "-c", _TELL_IMPORTS, *words], capture_output=True, text=True, check=True
    )
    assert f"\nExample:\n  foveal {name or 'train'}" in shown.stdout.replace("\n  ", "\n")
    assert shown.stdout.endswith("IMPORTED []\n")


@pytest.mark.parametrize("name", NAMES)
def test_help_fits_80_columns(foveal: Run, name: str) -> None:
    assert max(map(len, foveal(name, "--help").out.splitlines())) <= 80


def test_help_names_every_command(foveal: Run) -> None:
    shown = foveal("--help").out
    assert [name for name in NAMES if f"\n  {name} " not in shown] == []


def test_a_wrong_command_is_answered_with_the_near_one(foveal: Run) -> None:
    outcome = foveal("trian", "photos")
    assert outcome.code == 2
    assert "There is no command 'trian'. Did you mean train?" in outcome.err


def test_a_wrong_option_is_answered_with_the_near_one(foveal: Run) -> None:
    outcome = foveal("train", "photos", "--ovewrite")
    assert outcome.code == 2
    assert "'--overwrite'" in outcome.err


@pytest.mark.parametrize("words", [["predict", "run"], ["train"], ["evaluate", "run"]])
def test_a_missing_argument_is_wrong_usage(foveal: Run, words: list[str]) -> None:
    outcome = foveal(*words)
    assert outcome.code == 2
    assert "Missing argument" in outcome.err


def test_errors_go_to_stderr_alone(foveal: Run) -> None:
    assert foveal("audit", "nowhere").out == ""


@pytest.mark.parametrize("name", NAMES)
def test_help_tells_what_the_exit_status_means(foveal: Run, name: str) -> None:
    for _ in range(2):
        told = " ".join(foveal(name, "--help").out.split())
        assert told.count("Exit status: 0 nothing wrong; 1 done, and something was found; ") == 1
        assert "2 wrong usage; 3 the work could not be done." in told


def test_a_fault_of_ours_is_no_finding(foveal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("foveal.dataset.scan", broken)
    outcome = foveal("audit", ".")
    assert outcome.code == 3
    assert "ZeroDivisionError: a fault" in outcome.err
    assert "Error: this is a fault of Foveal" in outcome.err
