"""Whatever a command writes as JSON begins with its schema's name and version."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import foveal.cli
from foveal.schema import VERSIONS

COMMANDS = {
    "audit": ("audit", "SHAPES"),
    "evaluate": ("evaluate", "RUN", "SHAPES"),
    "inspect": ("inspect", "foveal:plain20"),
    "inspect.comparison": ("inspect", "foveal:plain20", "--against", "foveal:resnet20"),
    "lab.list": ("lab",),
    "learn.topics": ("learn",),
    "predict": ("predict", "RUN", "SHAPES"),
    "report.drawn": ("report", "RUN", "--out", "OUT"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_json_begins_with_schema_and_version(
    foveal: Callable[..., Any], run_folder: Path, shapes: Path, tmp_path: Path, name: str
) -> None:
    places = {"SHAPES": shapes, "RUN": run_folder, "OUT": tmp_path / "out"}
    shown = foveal(*(places.get(one, one) for one in COMMANDS[name]), "--json")
    content = json.loads(shown.out)
    assert [*content.items()][:2] == [("schema", f"foveal.{name}"), ("version", VERSIONS[name])]


def test_predictions_in_a_file_have_the_same_schema(
    foveal: Callable[..., Any], run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    foveal("predict", run_folder, shapes, "--out", tmp_path / "answers.json")
    assert json.loads((tmp_path / "answers.json").read_text())["schema"] == "foveal.predict"


def test_every_command_that_writes_json_names_a_known_schema() -> None:
    folder = Path(foveal.cli.__file__).parent
    calls = [
        call
        for file in folder.glob("*.py")
        for call in re.findall(r"\becho_json\(\s*([^,]*),", file.read_text("utf-8"))
        if not call.startswith("schema:")
    ]
    named = {name for call in calls for name in re.findall(r'"([a-z.]+)"', call)}
    assert len(calls) >= 13
    assert named <= set(VERSIONS)
    assert all('"' in call for call in calls)
