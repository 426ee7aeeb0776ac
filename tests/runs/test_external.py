from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveal.api import drift, evaluate, load
from foveal.dataset import GroupOptions
from foveal.dataset.unlabelled import has_no_labels
from foveal.errors import DataError, RunAlteredError
from foveal.evaluation import NoveltyReference
from foveal.evaluation.drift import NUM_PROJECTED

Make = Callable[..., Path]


def flatten(data: Path, folder: Path, *, change: Callable[[Any], Any] = lambda one: one) -> Path:
    """The images of class folders in one folder, without their classes."""
    folder.mkdir()
    for number, file in enumerate(sorted(data.glob("*/*.png"))):
        change(Image.open(file)).save(folder / f"{number:03}.png")
    return folder


def darker(image: Any) -> Any:
    return image.point(lambda level: level // 4)


def test_a_run_keeps_little_of_its_features(run_folder: Path) -> None:
    sample = load(run_folder).novelty.sample
    assert sample is not None
    # One image a group; 36 images come in nine.
    assert sample.shape == (9, NUM_PROJECTED)
    assert sample.nbytes == 9 * 64 * 2


def test_training_images_themselves_lie_where_the_sample_says(
    run_folder: Path, shapes: Path
) -> None:
    # What is kept at the end of training is what the finished run sees in the same file.
    classifier = load(run_folder)
    assert classifier.novelty.sample is not None
    every = [one.projected for one in classifier.predict(shapes / "*" / "*.png")]
    gaps = np.abs(classifier.novelty.sample[:, None].astype(float) - np.array(every, float))
    assert gaps.max(axis=2).min(axis=1).max() < 0.01


def test_new_data_stand_beside_the_training_data(run_folder: Path, make_shapes: Make) -> None:
    found = evaluate(run_folder, make_shapes(num_per_class=8, seed=5)).external
    assert found is not None
    mix = found.case_mix
    assert (mix.num_training, mix.num_new, mix.num_training_groups) == (36, 24, 9)
    assert [one.name for one in mix.classes] == ["circle", "cross", "stripes"]
    assert [one.num_new for one in mix.classes] == [8, 8, 8]
    assert [one.training.estimate for one in mix.classes] == pytest.approx([1 / 3] * 3)
    brightness = mix.spreads[2]
    assert brightness.training is not None
    assert 0.1 < brightness.training.median < 0.9
    assert found.calibration is not None
    assert found.accuracy_change is not None
    assert found.label_budget is not None
    assert found.label_budget.is_measured


def test_the_same_source_without_labels_raises_no_alarm(
    run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    found = drift(run_folder, flatten(make_shapes(num_per_class=8, seed=5), tmp_path / "flat"))
    assert found.drift.verdict == "not shown"
    assert found.calibration is None
    assert found.case_mix.classes == ()
    assert found.label_budget is not None
    assert not found.label_budget.is_measured
    assert any("no groups of the new ones are known" in note for note in found.notes)


def test_darker_images_raise_the_alarm_without_labels(
    foveal: Callable[..., Any], run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    flat = flatten(make_shapes(num_per_class=8, seed=5), tmp_path / "flat", change=darker)
    outcome = foveal("evaluate", run_folder, flat)
    shown = " ".join(outcome.out.split())
    assert outcome.code == 0
    assert "taken as unlabelled" in outcome.err
    assert "These are not images like those of training" in shown
    assert "at most 2% of such sets raise this alarm" in shown
    assert max(map(len, outcome.out.splitlines())) <= 80
    content = json.loads(foveal("evaluate", run_folder, flat, "--json").out)
    assert content["schema"] == "foveal.drift"
    assert content["drift"]["verdict"] == "drift"
    assert content["drift"]["tests"][0]["p_value"] == 0.001


def test_images_of_training_do_not_count(
    run_folder: Path, shapes: Path, make_shapes: Make, tmp_path: Path
) -> None:
    flat = flatten(make_shapes(num_per_class=4, seed=5), tmp_path / "flat")
    Image.open(shapes / "circle" / "000.png").save(flat / "again.bmp")
    found = drift(run_folder, flat)
    assert (found.num_seen, found.num_images) == (1, 12)


def test_images_of_training_alone_are_refused(
    foveal: Callable[..., Any], run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="The run was made from all of these 36 images"):
        drift(run_folder, flatten(shapes, tmp_path / "flat"))
    assert evaluate(run_folder, shapes).external is None
    assert json.loads(foveal("evaluate", run_folder, shapes, "--json").out)["external"] is None


def test_groups_may_be_named_without_labels(
    run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    flat = flatten(make_shapes(num_per_class=4, seed=5), tmp_path / "flat")
    found = drift(run_folder, flat, groups=GroupOptions(regex=r"(\d\d)\d"))
    assert (found.num_images, found.num_groups) == (12, 2)
    assert found.notes == ()
    assert found.drift.verdict == "unavailable"
    assert "too few" in (found.drift.tests[0].reason or "")


@pytest.mark.parametrize("number", [1, 3, 10])
def test_few_images_are_described_all_the_same(
    number: int, run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    flat = flatten(make_shapes(num_per_class=4, seed=5), tmp_path / "flat")
    for file in sorted(flat.iterdir())[number:]:
        file.unlink()
    assert drift(run_folder, flat).case_mix.num_new == number


def test_one_class_alone_has_no_slope(
    foveal: Callable[..., Any], run_folder: Path, make_shapes: Make
) -> None:
    data = make_shapes(num_per_class=6, seed=5)
    for name in ("cross", "stripes"):
        shutil.rmtree(data / name)
    (data / "groups.csv").unlink()
    shown = " ".join(foveal("evaluate", run_folder, data).out.split())
    assert "There is no image of cross, stripes." in shown
    assert "Labels needed" in shown


def test_nothing_that_can_be_read_is_refused(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "a.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"None of 1 file can be read, first a\.png"):
        drift(run_folder, tmp_path / "flat")


def test_what_has_no_labels_is_told_from_what_has(shapes: Path, tmp_path: Path) -> None:
    flat = flatten(shapes, tmp_path / "flat")
    assert has_no_labels(flat)
    (flat / "groups.csv").write_text("path,group\n000.png,1\n")
    assert has_no_labels(flat)
    (flat / "labels.csv").write_text("path,label\n000.png,cat\n")
    assert not has_no_labels(flat)
    assert not has_no_labels(shapes)
    assert not has_no_labels(tmp_path / "nowhere")
    assert not has_no_labels(tmp_path)


def test_a_run_of_old_says_that_it_kept_no_features(
    run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    from pyarrow import parquet
    from safetensors.numpy import load as read
    from safetensors.numpy import save

    from foveal.runs.folder import read_manifest, replace_files

    old = tmp_path / "old"
    shutil.copytree(run_folder, old)
    arrays = read((old / "novelty.safetensors").read_bytes())
    kept = {name: one for name, one in arrays.items() if not name.startswith("sample")}
    table = parquet.read_table(old / "manifest.parquet").drop_columns(["grey_mean"])
    parquet.write_table(table, tmp_path / "table")
    replace_files(
        old,
        read_manifest(old),
        {"novelty.safetensors": save(kept), "manifest.parquet": (tmp_path / "table").read_bytes()},
    )
    found = evaluate(old, make_shapes(num_per_class=6, seed=5)).external
    assert found is not None
    assert "kept no features" in (found.drift.tests[0].reason or "")
    assert found.drift.tests[1].p_value is not None
    assert found.case_mix.spreads[2].training is None


def test_a_sample_of_another_shape_is_refused(run_folder: Path) -> None:
    arrays = load(run_folder).novelty.to_arrays()
    arrays["sample"] = arrays["sample"][:, :7]
    with pytest.raises(DataError, match=r"sample of features has shape \(9, 7\)"):
        NoveltyReference.from_arrays(arrays)


def test_tables_that_were_altered_are_refused(
    run_folder: Path, make_shapes: Make, tmp_path: Path
) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "oof.parquet").write_bytes(b"")
    with pytest.raises(RunAlteredError, match=r"oof\.parquet was altered"):
        evaluate(tmp_path / "run", make_shapes(num_per_class=4, seed=5))
