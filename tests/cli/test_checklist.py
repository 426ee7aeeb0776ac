"""``foveal report RUN --checklist``: from the run's files to text, JSON and a page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_text_json_and_page_agree(foveal: Run, run_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "claim.html"
    shown = foveal("report", run_folder, "--checklist", "claim", "--html", page)
    assert shown.code == 0, shown.err
    content = json.loads(foveal("report", run_folder, "--checklist", "claim", "--json").out)
    assert content["num_items"] == 44
    said = f"{content['num_answered']} of 44 items answered"
    assert said in " ".join(shown.out.split())
    assert said in page.read_text()


def test_the_statement_beside_the_run_is_written_once_and_read(
    foveal: Run, run_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    assert foveal("report", run, "--write-statement").code == 0
    statement = tmp_path / "statement.toml"
    statement.write_text(statement.read_text().replace('funding = ""', 'funding = "The state."'))
    content = json.loads(foveal("report", run, "--checklist", "claim", "--json").out)
    assert content["items"][-1]["statement"] == "The state."
    assert content["items"][-1]["status"] == "owner"
    again = foveal("report", run, "--write-statement")
    assert again.code == 2
    assert "may hold answers" in again.err
    assert "The state." in statement.read_text()


def test_an_evaluation_elsewhere_is_read_from_its_json(
    foveal: Run, run_folder: Path, make_shapes: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "elsewhere.json"
    data = make_shapes(num_per_class=6, seed=5)
    file.write_text(foveal("evaluate", run_folder, data, "--json").out)
    words = ("report", run_folder, "--checklist", "claim", "--json")
    content = json.loads(foveal(*words, "--external", file).out)
    assert content["items"][32]["status"] == "run"
    assert "18 images given to foveal evaluate" in content["items"][32]["answer"]
    wrong = foveal(*words, "--external", run_folder / "evaluation.json")
    assert wrong.code == 3
    assert "not what foveal evaluate --json writes" in wrong.err


def test_options_that_do_not_go_together_are_refused(foveal: Run, run_folder: Path) -> None:
    assert foveal("report", run_folder, "--checklist", "claim", "--out", "x").code == 2
    assert foveal("report", run_folder, "--html", "x.html").code == 2
    unknown = foveal("report", run_folder, "--checklist", "clam")
    assert unknown.code == 2
    assert "Did you mean claim" in unknown.err
