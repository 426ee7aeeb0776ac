from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

Run = Callable[..., Any]
FIELDS = [
    *("path", "label", "probability", "prediction_set", "unsure", "unlike_training"),
    *("novelty", "error", "probability_circle", "probability_cross", "probability_stripes"),
]


@pytest.fixture
def images(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``new/`` in the current folder: four images, one of them in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "new"
    (folder / "deep").mkdir(parents=True)
    for number in range(3):
        shutil.copy(shapes / "circle" / f"00{number}.png", folder / f"{number}.png")
    shutil.copy(shapes / "cross" / "000.png", folder / "deep" / "x.png")
    return folder


def test_a_folder_is_searched_through(foveal: Run, run_folder: Path, images: Path) -> None:
    rows = json.loads(foveal("predict", run_folder, "new", "--json").out)["predictions"]
    assert sorted(row["path"] for row in rows) == [
        *("new/0.png", "new/1.png", "new/2.png", "new/deep/x.png")
    ]


def test_a_pattern_is_followed(foveal: Run, run_folder: Path, images: Path) -> None:
    rows = json.loads(foveal("predict", run_folder, "new/[01].png", "--json").out)["predictions"]
    assert [row["path"] for row in rows] == ["new/0.png", "new/1.png"]


def test_full_paths_are_shown_in_full(foveal: Run, run_folder: Path, images: Path) -> None:
    rows = json.loads(foveal("predict", run_folder, images / "0.png", "--json").out)["predictions"]
    assert [row["path"] for row in rows] == [str(images / "0.png")]


def test_the_table_has_a_line_an_image(foveal: Run, run_folder: Path, images: Path) -> None:
    outcome = foveal("predict", run_folder, "new/0.png")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1].split()[:2] == ["new/0.png", "circle"]


def test_the_probabilities_add_up(foveal: Run, run_folder: Path, images: Path) -> None:
    (row,) = json.loads(foveal("predict", run_folder, "new/0.png", "--json").out)["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1)


def test_json_leaves_stderr_alone(foveal: Run, run_folder: Path, images: Path) -> None:
    assert foveal("predict", run_folder, "new", "--json").err == ""


def test_csv_has_a_column_a_class(foveal: Run, run_folder: Path, images: Path) -> None:
    foveal("predict", run_folder, "new", "--out", "answers.csv")
    with Path("answers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (len(rows), list(rows[0])) == (4, FIELDS)


def test_parquet_has_the_same_columns(foveal: Run, run_folder: Path, images: Path) -> None:
    foveal("predict", run_folder, "new", "--out", "answers.parquet")
    assert parquet.read_table("answers.parquet").column_names == FIELDS


def test_a_table_of_errors_keeps_its_types(foveal: Run, run_folder: Path, images: Path) -> None:
    foveal("predict", run_folder, "nope.png", "--out", "bad.parquet")
    foveal("predict", run_folder, "new", "--out", "good.parquet")
    assert parquet.read_schema("bad.parquet") == parquet.read_schema("good.parquet")


def test_every_form_says_the_same(foveal: Run, run_folder: Path, images: Path) -> None:
    foveal("predict", run_folder, "new", "--out", "answers.json")
    shown = json.loads(foveal("predict", run_folder, "new", "--json").out)
    assert json.loads(Path("answers.json").read_text("utf-8")) == shown


def test_a_missing_file_is_a_row_and_exit_code_1(
    foveal: Run, run_folder: Path, images: Path
) -> None:
    outcome = foveal("predict", run_folder, "nope.png", "new/0.png", "--json")
    rows = json.loads(outcome.out)["predictions"]
    assert outcome.code == 1
    assert [(row["path"], row["label"], row["error"]) for row in rows] == [
        ("nope.png", None, "no such file"),
        ("new/0.png", "circle", None),
    ]
    assert "1 of 2 files could not be used." in outcome.err


def test_a_pattern_without_a_match_is_called_one(
    foveal: Run, run_folder: Path, images: Path
) -> None:
    outcome = foveal("predict", run_folder, "new/*.tiff")
    assert outcome.code == 1
    assert "error: no file matches the pattern" in outcome.out


def test_a_link_out_of_a_folder_is_a_row_with_an_error(
    foveal: Run, run_folder: Path, images: Path
) -> None:
    (images / "link.png").symlink_to(run_folder.parent / "elsewhere.png")
    shutil.copy(images / "0.png", run_folder.parent / "elsewhere.png")
    outcome = foveal("predict", run_folder, "new", "--json")
    rows = json.loads(outcome.out)["predictions"]
    assert outcome.code == 1
    assert [row["path"] for row in rows if row["error"]] == ["new/link.png"]


def test_a_file_that_is_no_image_says_why(foveal: Run, run_folder: Path, images: Path) -> None:
    (images / "text.jpg").write_text("hello")
    outcome = foveal("predict", run_folder, "new/text.jpg")
    assert outcome.code == 1
    assert "error: this is text, not an image" in outcome.out


def test_an_ending_that_is_not_known_is_wrong_usage(
    foveal: Run, run_folder: Path, images: Path
) -> None:
    outcome = foveal("predict", run_folder, "new", "--out", "answers.xlsx")
    assert outcome.code == 2
    assert ".csv, .json or .parquet" in outcome.err


def test_no_cell_of_a_csv_starts_a_formula(foveal: Run, run_folder: Path, images: Path) -> None:
    for name in ("=1+1.png", "@SUM(A1).png", "-2+3.png", "+1.png", "plain.png"):
        shutil.copy(images / "0.png", Path(name))
    foveal("predict", run_folder, "*.png", "--out", "answers.csv")
    rows = csv.DictReader(Path("answers.csv").read_text("utf-8").splitlines())
    assert {row["path"] for row in rows} == {
        *("'=1+1.png", "'@SUM(A1).png", "'-2+3.png", "'+1.png", "plain.png")
    }


@pytest.mark.parametrize("command", ["predict", "explain", "evaluate", "train", "lint"])
def test_a_folder_without_images_is_work_that_cannot_be_done(
    foveal: Run, run_folder: Path, tmp_path: Path, command: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = {
        "train": (empty, "--out", tmp_path / "run"),
        "lint": (run_folder, "--images", empty),
    }
    outcome = foveal(command, *words.get(command, (run_folder, empty)))
    assert outcome.code == 3
    assert re.search("no (usable labelled )?image", outcome.err)


def test_a_folder_that_is_no_run_is_named(foveal: Run, images: Path) -> None:
    outcome = foveal("predict", "new", "new/0.png")
    assert outcome.code == 3
    assert "new has no manifest.json: it is no run folder" in outcome.err


def test_hostile_names_stay_on_their_line(foveal: Run, run_folder: Path, images: Path) -> None:
    name = os.fsdecode(b"a\nb\x1b[31m\xe9.png")
    shutil.copy(images / "0.png", images / name)
    outcome = foveal("predict", run_folder, images / name)
    assert outcome.code == 0
    assert "a\\nb\\x1b[31m\\xe9.png" in outcome.out.replace("…", "")


def test_predicting_does_without_torch(run_folder: Path, images: Path) -> None:
    code = (
        "import sys\nfrom foveal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'timm'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "predict", str(run_folder), "new/0.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.endswith("\n[]\n")


def test_a_reader_that_goes_away_is_no_reason_to_complain(run_folder: Path, images: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "foveal", "predict", str(run_folder), "new"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_predicting_writes_nothing_at_home(run_folder: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    places = {name: str(tmp_path / "home") for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    kept = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-m", "foveal", "predict", str(run_folder), "new"],
        env={**kept, **places},
        capture_output=True,
        check=True,
    )
    assert list((tmp_path / "home").rglob("*")) == []


def test_two_places_for_one_answer_are_refused(foveal: Run, run_folder: Path) -> None:
    outcome = foveal("predict", run_folder, "new/0.png", "--json", "--out", "answers.csv")
    assert outcome.code == 2
    assert "give one of them" in outcome.err
