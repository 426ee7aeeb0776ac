from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import foveal
from foveal.errors import DataError, RunAlteredError


def test_new_data_are_scored_with_what_predict_answers(
    run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=6, seed=5)
    paths = sorted(data.rglob("*.png"))
    answers = foveal.load(run_folder).predict(paths)
    right = [one.label == path.parent.name for one, path in zip(answers, paths, strict=True)]
    scored = foveal.evaluate(run_folder, data)
    assert scored.evidence.metrics.accuracy.estimate == pytest.approx(np.mean(right))


def test_new_data_were_not_seen(run_folder: Path, make_shapes: Callable[..., Path]) -> None:
    assert foveal.evaluate(run_folder, make_shapes(num_per_class=4, seed=5)).num_seen == 0


def test_the_training_data_are_recognised(run_folder: Path, shapes: Path) -> None:
    scored = foveal.evaluate(run_folder, shapes)
    assert scored.num_seen == 36
    assert "36 images of these were in the data" in scored.evidence.protocol.notes[0]


def test_a_class_that_is_absent_is_no_error(
    run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=4, seed=5)
    shutil.rmtree(data / "stripes")
    (data / "groups.csv").unlink()
    assert foveal.evaluate(run_folder, data).evidence.data.class_counts == (4, 4, 0)


def test_an_unknown_class_is_named_with_its_neighbour(
    run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=4, seed=5)
    (data / "groups.csv").unlink()
    (data / "circle").rename(data / "circles")
    with pytest.raises(DataError, match=r"'circles' that the run does not know\. Did you mean"):
        foveal.evaluate(run_folder, data)


def test_data_without_a_usable_image_are_refused(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "circle").mkdir()
    (tmp_path / "circle" / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="no usable labelled image"):
        foveal.evaluate(run_folder, tmp_path)


def test_an_altered_list_of_training_images_is_refused(
    run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    (copy / "manifest.parquet").write_bytes(b"x")
    with pytest.raises(RunAlteredError, match=r"manifest\.parquet was altered"):
        foveal.evaluate(copy, shapes)


def test_one_image_can_be_scored(run_folder: Path, shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "circle").mkdir()
    shutil.copy(shapes / "circle" / "000.png", tmp_path / "circle" / "a.png")
    scored = foveal.evaluate(run_folder, tmp_path)
    assert scored.evidence.to_json()["metrics"]["accuracy"]["estimate"] in (0.0, 1.0)
