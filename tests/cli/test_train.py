"""``foveal train`` on good data: the three forms, the options, what is left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import foveal

Run = Callable[..., Any]
MakeShapes = Callable[..., Path]


def write_table(shapes: Path, file: Path, labels: list[str] | None = None) -> Path:
    paths = sorted(shapes.rglob("*.png"))
    shown = labels or [path.parent.name for path in paths]
    rows = [
        f"{path.relative_to(file.parent)},{label}" for path, label in zip(paths, shown, strict=True)
    ]
    file.write_text("\n".join(["path,label", *rows]) + "\n", "utf-8")
    return file


def read_evaluation(run: Path) -> Any:
    return json.loads((run / "evaluation.json").read_text("utf-8"))


def test_a_folder_of_class_folders(train: Run, shapes: Path, tmp_path: Path) -> None:
    outcome = train(shapes, "--out", tmp_path / "run")
    assert outcome.code == 0
    assert "\nAccuracy " in outcome.out
    assert outcome.out.rstrip().endswith(f"foveal predict {tmp_path / 'run'} NEW-IMAGES")


def test_every_line_fits_80_columns(
    train: Run, make_shapes: MakeShapes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = train(make_shapes("data").relative_to(tmp_path), "--out", "run")
    assert max(map(len, (outcome.out + outcome.err).splitlines())) <= 80


def test_progress_goes_to_stderr_without_escape_codes(
    train: Run, shapes: Path, tmp_path: Path
) -> None:
    outcome = train(shapes, "--out", tmp_path / "run")
    assert "Computing features: 36 images computed" in outcome.err
    assert "\x1b" not in outcome.err + outcome.out


def test_a_second_run_computes_no_feature(train: Run, shapes: Path, tmp_path: Path) -> None:
    train(shapes, "--out", tmp_path / "first")
    outcome = train(shapes, "--out", tmp_path / "second")
    assert "0 images computed, 36 from the cache" in outcome.err


def test_a_copy_is_not_said_to_come_from_the_cache(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    data = make_shapes()
    shutil.copy(data / "circle" / "000.png", data / "circle" / "copy.png")
    outcome = train(data, "--out", tmp_path / "run")
    assert "36 images computed\n" in outcome.err


def test_given_splits_are_respected(train: Run, make_shapes: MakeShapes, tmp_path: Path) -> None:
    for part, seed in (("train", 1), ("test", 2)):
        data = make_shapes(f"data/{part}", num_per_class=6, seed=seed)
        (data / "groups.csv").unlink()
    outcome = train(tmp_path / "data", "--out", tmp_path / "run")
    assert outcome.code == 0
    assert "Measured on the 18 images of the test part" in outcome.out


def test_a_table_and_json(train: Run, make_shapes: MakeShapes, tmp_path: Path) -> None:
    table = write_table(make_shapes(), tmp_path / "table.csv")
    outcome = train(table, "--out", tmp_path / "run", "--json")
    shown = json.loads(outcome.out)
    assert shown["run"] == str(tmp_path / "run")
    assert shown["metrics"] == read_evaluation(tmp_path / "run")["metrics"]


def test_shuffled_labels_score_at_chance(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    shapes = make_shapes()
    labels = np.random.default_rng(0).permutation(["a", "b", "c"] * 12).tolist()
    train(write_table(shapes, tmp_path / "table.csv", labels), "--out", tmp_path / "run")
    accuracy = read_evaluation(tmp_path / "run")["metrics"]["accuracy"]
    assert accuracy["low"] <= 1 / 3 <= accuracy["high"]


def test_groups_may_span_classes(train: Run, shapes: Path, tmp_path: Path) -> None:
    outcome = train(shapes, "--out", tmp_path / "run", "--group-regex", r"(\d)\.png")
    assert outcome.code == 0
    assert read_evaluation(tmp_path / "run")["data"]["num_groups"] == 10


def test_mirrored_pictures_get_one_answer_when_both_views_are_used(
    train: Run, shapes: Path, tmp_path: Path
) -> None:
    train(shapes, "--out", tmp_path / "run", "--views", "identity,hflip")
    image = shapes / "circle" / "000.png"
    mirrored = Image.open(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(tmp_path / "mirrored.png")
    one, other = foveal.load(tmp_path / "run").predict([image, tmp_path / "mirrored.png"])
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)


def test_without_out_runs_are_numbered(
    train: Run, make_shapes: MakeShapes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shapes("photos.v2")
    monkeypatch.chdir(tmp_path)
    train("photos.v2")
    train("photos.v2")
    assert sorted(path.name for path in Path("runs").iterdir()) == ["photos.v2", "photos.v2-2"]


@pytest.mark.parametrize(("data", "options"), [(".", []), ("../photos", ["--out", "run"])])
def test_a_run_inside_its_data_is_refused(
    foveal: Run,
    make_shapes: MakeShapes,
    monkeypatch: pytest.MonkeyPatch,
    data: str,
    options: list[str],
) -> None:
    monkeypatch.chdir(make_shapes("photos"))
    before = sorted(Path.cwd().iterdir())
    outcome = foveal("train", data, *options)
    assert outcome.code == 2
    assert "inside the data it is made from.\nChoose a folder outside" in outcome.err
    assert sorted(Path.cwd().iterdir()) == before


def test_nothing_is_written_but_the_run_and_the_cache(
    train: Run,
    make_shapes: MakeShapes,
    cache_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_shapes("data")
    before = sorted(tmp_path.rglob("*"))
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path / "HOME")
    train(data, "--out", tmp_path / "out" / "run")
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        (tmp_path / name).rmdir()  # refuses if anything is in it
    shutil.rmtree(tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_existing_run_is_kept(train: Run, run_folder: Path, shapes: Path) -> None:
    outcome = train(shapes, "--out", run_folder)
    assert (outcome.code, outcome.out) == (3, "")
    assert "exists already" in outcome.err


def test_an_existing_run_is_replaced_when_asked(
    train: Run, run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    assert train(shapes, "--out", copy, "--overwrite").code == 0
    assert json.loads((copy / "config.json").read_text("utf-8"))["architecture"] == "test_resnet"


def test_sixteen_bits_keep_their_absolute_brightness(
    train: Callable[..., Any], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for label, share in (("bright", 0.9), ("dim", 0.25)):
        (data / label).mkdir(parents=True)
        for number in range(12):
            random = np.random.default_rng([number, len(label)])
            levels = (random.uniform(0, share, (64, 64)) * 65535).astype(np.uint16)
            Image.fromarray(levels).save(data / label / f"{number:02}.png")
    assert train(data, "--out", tmp_path / "run").code == 0
    assert read_evaluation(tmp_path / "run")["metrics"]["accuracy"]["estimate"] == 1
    written = json.loads((tmp_path / "run" / "preprocessing.json").read_text("utf-8"))
    low, high = written["preprocessing"]["window"]["fixed"]["uint16"]
    assert 0 <= low < 0.01 * 65535
    assert 0.85 * 65535 < high < 0.9 * 65535
