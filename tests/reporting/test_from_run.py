"""A finished run read back: the same values, and the same page, from its folder alone."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal import api
from foveal.dataset import Audit
from foveal.errors import RunAlteredError, RunIncompleteError, UsageError
from foveal.evaluation import Evidence
from foveal.reporting.from_run import read_report
from foveal.runs import load, read_manifest
from foveal.runs.folder import replace_files, verify_files
from foveal.runs.reading import read_evidence, read_explanations
from foveal.shortcuts.explained_run import ExplainedRun

JSON_FILES = {
    "manifest.json": "run",
    "evaluation.json": "evaluation",
    "explanations.json": "explanations",
    "preprocessing.json": "preprocessing",
    "report.json": "report",
}


@pytest.fixture
def moved(run_folder: Path, tmp_path: Path) -> Path:
    """The run at another place, from which its images cannot be found."""
    return Path(shutil.copytree(run_folder, tmp_path / "far" / "away" / "moved"))


def change(folder: Path, name: str, edit: Callable[[Any], None]) -> None:
    content = json.loads((folder / name).read_text("utf-8"))
    edit(content)
    replace_files(folder, read_manifest(folder), {name: json.dumps(content).encode()})


def without_pictures(page: str) -> str:
    page = re.sub(r'<svg class="placeholder".*?</svg>', "", page)
    return re.sub(r"<img[^>]*>", "", page)


@pytest.mark.parametrize(("file", "name"), JSON_FILES.items())
def test_every_json_of_a_run_has_its_schema_and_version(
    run_folder: Path, file: str, name: str
) -> None:
    content = json.loads((run_folder / file).read_text("utf-8"))
    assert content["schema"] == f"foveal.{name}"
    assert isinstance(content["version"], int)


def test_evidence_audit_and_explanations_come_back_as_their_types(run_folder: Path) -> None:
    evidence, audit = read_evidence(run_folder)
    explained = read_explanations(run_folder)
    assert (type(evidence), type(audit), type(explained)) == (Evidence, Audit, ExplainedRun)
    stored = json.loads((run_folder / "evaluation.json").read_text("utf-8"))
    assert stored["audit"] == audit.to_json()
    assert stored["explanations"] == explained.summary_json()
    assert {key: stored[key] for key in evidence.to_json()} == evidence.to_json()


def test_explanations_come_back_with_every_map(run_folder: Path) -> None:
    explained = read_explanations(run_folder)
    again = ExplainedRun.from_json(json.loads(json.dumps(explained.to_json())))
    assert again.to_json() == explained.to_json()
    assert again.examples[0].predicted_map.dtype == np.float32
    assert again.examples[0].predicted_map.shape == explained.grid


def test_a_classifier_holds_the_typed_evidence(run_folder: Path) -> None:
    sets = load(run_folder).evidence.prediction_sets
    assert sets is not None
    assert sets.coverage.estimate is not None


def test_a_classifier_hands_out_audit_and_explanations(run_folder: Path) -> None:
    classifier = load(run_folder)
    assert classifier.audit.num_images == classifier.evidence.data.num_images
    assert classifier.explanations.class_names == classifier.class_names


def test_the_page_and_the_card_drawn_again_are_the_first_ones(
    run_folder: Path, tmp_path: Path
) -> None:
    drawn = api.report(run_folder, tmp_path / "again")
    assert drawn.missing == ()
    for name in ("report.html", "README.md"):
        first, again = run_folder / name, tmp_path / "again" / name
        assert again.read_text("utf-8") == first.read_text("utf-8")


def test_a_moved_run_finds_its_images_where_they_are_said_to_be(
    moved: Path, shapes: Path, run_folder: Path
) -> None:
    drawn = api.report(moved, images=shapes)
    assert drawn.missing == ()
    assert drawn.page.read_bytes() == (run_folder / "report.html").read_bytes()


def test_without_images_the_page_differs_in_pictures_and_says_so(
    moved: Path, tmp_path: Path, run_folder: Path
) -> None:
    drawn = api.report(moved, tmp_path / "out")
    assert len(drawn.missing) == drawn.num_images > 0
    page = drawn.page.read_text("utf-8")
    note = re.search(r"<p>Drawn again later without .*?</p>|<li>Drawn again later.*?</li>", page)
    assert note is not None
    first = without_pictures((run_folder / "report.html").read_text("utf-8"))
    assert f"{drawn.num_images} images" in note[0]
    redrawn = without_pictures(page.replace(note[0], ""))
    assert re.sub(r"\s+", " ", redrawn) == re.sub(r"\s+", " ", first)


def test_a_report_is_not_replaced_by_one_with_fewer_pictures(moved: Path) -> None:
    before = (moved / "report.html").read_bytes()
    with pytest.raises(UsageError, match=r"cannot be drawn again.*would lose them") as raised:
        api.report(moved)
    assert "--images" in str(raised.value)
    assert (moved / "report.html").read_bytes() == before


def test_an_image_that_changed_is_not_drawn(moved: Path, shapes: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(shapes, tmp_path / "data"))
    shutil.copy(data / "cross" / "000.png", data / "circle" / "000.png")
    drawn = api.report(moved, tmp_path / "out", images=data)
    assert drawn.missing == ("circle/000.png: it has changed",)


def test_images_are_found_from_a_folder_that_is_gone(
    moved: Path, shapes: Path, tmp_path: Path
) -> None:
    root = f"{os.path.relpath(shapes, moved)}/gone/.."
    change(moved, "report.json", lambda content: content.update(images_root=root))
    assert api.report(moved, tmp_path / "out").missing == ()


def test_a_run_is_drawn_through_a_link(run_folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "a" / "link"
    link.parent.mkdir()
    link.symlink_to(run_folder, target_is_directory=True)
    assert api.report(link, tmp_path / "out").missing == ()


def test_a_lost_page_is_drawn_again_and_the_run_verifies(moved: Path, shapes: Path) -> None:
    (moved / "report.html").unlink()
    api.report(moved, images=shapes)
    manifest = read_manifest(moved)
    verify_files(moved, manifest, tuple(manifest["files"]))


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("report.json", lambda c: c.pop("title"), r"report\.json: title: it is missing"),
        (
            "report.json",
            lambda c: c["provenance"].update(x=1),
            r"provenance\.x: there is no such field",
        ),
        ("report.json", lambda c: c["maps"]["rows"].append(99), r"got row 99 of 36 images"),
        ("report.json", lambda c: c["maps"]["rows"].append(-1), r"got row -1 of 36 images"),
        ("evaluation.json", lambda c: c["audit"].update(num_bad="0"), r"audit\.num_bad: got"),
        (
            "evaluation.json",
            lambda c: c["prediction_sets"].update(coverage=0.1234),
            r"prediction_sets\.coverage: got 0\.1234",
        ),
        (
            "explanations.json",
            lambda c: c["examples"][0]["predicted_map"][0].pop(),
            r"examples\[0\]\.predicted_map: got .*rows of one length",
        ),
        (
            "explanations.json",
            lambda c: c["examples"][0].update(label_index=7),
            r"explanations\.json: got class 7 of 3",
        ),
        ("explanations.json", lambda c: c.update(class_names=["a"]), r"class_names: expected"),
        (
            "explanations.json",
            lambda c: c.update(version=0),
            r"foveal\.explanations. version 0, expected foveal\.explanations version 2",
        ),
        ("evaluation.json", lambda c: c.pop("schema"), r"got no schema, expected foveal\.eval"),
    ],
)
def test_what_cannot_be_is_named(
    moved: Path, name: str, edit: Callable[[Any], None], message: str
) -> None:
    change(moved, name, edit)
    with pytest.raises(RunAlteredError, match=message):
        read_report(moved)


def test_an_altered_file_is_named(moved: Path) -> None:
    (moved / "report.json").write_text("{}")
    with pytest.raises(RunAlteredError, match=r"report\.json was altered"):
        read_report(moved)


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "model.safetensors", "config.json", "oof.parquet", "novelty.safetensors"],
)
def test_an_altered_run_has_no_report_of_it_drawn(moved: Path, name: str) -> None:
    with (moved / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(RunAlteredError, match=rf"{re.escape(name)} was altered"):
        read_report(moved)


def test_a_page_that_was_changed_by_hand_is_drawn_again(moved: Path) -> None:
    (moved / "report.html").write_text("mine")
    assert read_report(moved).num_wanted > 0


@pytest.mark.parametrize("command", [load, read_report])
def test_a_run_of_an_older_version_is_refused_by_name(
    moved: Path, command: Callable[[Path], object]
) -> None:
    manifest = json.loads((moved / "manifest.json").read_text("utf-8"))
    del manifest["schema"], manifest["version"]
    (moved / "manifest.json").write_text(json.dumps({"foveal_run": 1, **manifest}))
    with pytest.raises(RunIncompleteError, match="it has run format 1") as raised:
        command(moved)
    assert "Train again with this version" in str(raised.value)


def test_infinite_statistics_come_back(run_folder: Path) -> None:
    explained = read_explanations(run_folder)
    first = dataclasses.replace(explained.separations[0], gap_error=float("inf"))
    run = dataclasses.replace(explained, separations=(first,))
    text = json.dumps(run.to_json(), allow_nan=False)
    assert ExplainedRun.from_json(json.loads(text)).separations[0].gap_error == float("inf")


def test_the_command_says_what_it_drew(
    foveal: Callable[..., Any], moved: Path, shapes: Path, tmp_path: Path
) -> None:
    shown = foveal("report", moved, "--images", shapes, "--out", tmp_path / "out")
    assert (shown.code, "all " in shown.out, "drawn again" in shown.out) == (0, True, True)
    shown = foveal("report", moved, "--out", tmp_path / "bare")
    assert "placeholders stand for the others" in shown.out
    assert ": it is not there" in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines() if "/" not in line)


JUNK = (None, True, -1, 0, 10**6, 0.5, float("nan"), "", "\x1b[31m", [], {}, [[]], {"a": 1})


def mutated(content: Any, chance: random.Random) -> None:
    """Replaces, removes or repeats something at a random depth."""
    holder = content
    while True:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = chance.choice(keys)
        below = holder[key]
        if isinstance(below, (dict, list)) and below and chance.random() < 0.8:
            holder = below
            continue
        if chance.random() < 0.3:
            del holder[key]
        elif isinstance(holder, list) and chance.random() < 0.3:
            holder.append(below)
        else:
            holder[key] = chance.choice(JUNK)
        return


@pytest.mark.parametrize("name", ["evaluation.json", "explanations.json", "report.json"])
def test_of_mutations_none_ends_in_a_raw_error(
    run_folder: Path, moved: Path, tmp_path: Path, name: str
) -> None:
    chance = random.Random(name)
    text = (run_folder / name).read_text("utf-8")
    refusals = []
    for _ in range(20):
        content = json.loads(text)
        mutated(content, chance)
        replace_files(moved, read_manifest(moved), {name: json.dumps(content).encode()})
        try:
            page = api.report(moved, tmp_path / "out").page.read_text("utf-8")
        except RunAlteredError as error:
            refusals.append(str(error))
        else:
            assert "\x1b" not in page
    assert refusals
    assert "\x1b" not in "".join(refusals)
