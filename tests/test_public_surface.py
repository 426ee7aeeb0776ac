from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import foveal

ERRORS = importlib.import_module("foveal.errors")


def test_the_public_names_are_these() -> None:
    functions = {
        *("audit", "checklist", "compare", "drift", "evaluate", "explain", "fix"),
        *("inspect", "lint", "load", "predict", "predict_shards", "report", "train", "visualise"),
    }
    assert set(foveal.__all__) == functions | {"FovealError", "FovealWarning", "TrainConfig"}
    for name in functions:
        function = getattr(foveal, name)
        assert inspect.isfunction(function)
        assert function is getattr(importlib.import_module("foveal.api"), name)
        described = inspect.getdoc(function) or ""
        assert "Args:" in described
        assert "Raises:" in described
        for parameter in inspect.signature(function).parameters:
            assert f"{parameter}: " in described, f"{name} does not say what {parameter} is"


def test_no_room_has_the_name_of_a_function() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(foveal.__path__)}
    assert rooms & set(foveal.__all__) == set()


def test_a_training_names_its_choices() -> None:
    named = inspect.signature(foveal.train).parameters
    assert [
        one.name for one in dataclasses.fields(foveal.TrainConfig) if one.name not in named
    ] == []


@pytest.mark.parametrize("name", foveal.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(foveal, name).__module__.startswith("foveal.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = foveal.trian  # type: ignore[attr-defined]


def test_importing_foveal_waits_for_nothing_heavy() -> None:
    code = "import sys, foveal; print(sorted({'torch', 'numpy', 'click'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(
    ("given", "before", "used"),
    [
        ({}, "", "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "", "ACTIVE"),
        ({"GOMP_SPINCOUNT": "1000"}, "", None),
        ({"KMP_BLOCKTIME": "0"}, "", None),
        ({}, "sys.modules['torch'] = sys", None),  # it has read its settings, so none is made
    ],
)
def test_waiting_threads_sleep_unless_the_host_decided(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], before: str, used: str | None
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    code = f"import os, sys; {before}\nimport foveal; print(os.environ.get('OMP_WAIT_POLICY'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == f"{used}\n"


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    assert foveal.__version__ == version("foveal") == project["project"]["version"]


def test_python_dash_m_is_the_command_line() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "foveal", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"foveal {version('foveal')}\n"


@pytest.mark.parametrize("name", [n for n in dir(ERRORS) if n.endswith("Error")])
def test_one_except_catches_every_error(name: str) -> None:
    assert issubclass(getattr(ERRORS, name), foveal.FovealError)


def test_an_error_says_what_to_do_next() -> None:
    assert str(foveal.FovealError("It broke.", next_step="Mend it.")) == "It broke.\nMend it."


@pytest.mark.parametrize("name", [n for n in dir(ERRORS) if n.endswith("Error")])
def test_wrong_usage_and_failed_work_exit_differently(name: str) -> None:
    is_usage = name in ("UsageError", "UnknownModelError")
    assert getattr(ERRORS, name).exit_code == (2 if is_usage else 3)
