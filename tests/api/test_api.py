from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import foveal
from foveal.dataset import GroupOptions
from foveal.errors import DataError, RunExistsError, UsageError
from foveal.runs import Classifier


@pytest.fixture
def trained(shapes: Path, tiny_weights: Path, tmp_path: Path) -> Classifier:
    return foveal.train(
        shapes,
        tmp_path / "run",
        backbone="test_resnet",
        weights=tiny_weights,
        size_px=64,
        backend="onnxruntime",
        num_folds=3,
    )


def test_training_returns_what_loading_does(trained: Classifier, shapes: Path) -> None:
    images = sorted(shapes.rglob("*.png"))[:3]
    assert trained.predict(images) == foveal.load(trained.folder).predict(images)


def test_choices_are_given_by_name(trained: Classifier) -> None:
    assert trained.evidence.protocol.num_folds == 3


def test_a_picture_in_memory_is_answered_like_its_file(trained: Classifier, shapes: Path) -> None:
    file = shapes / "cross" / "000.png"
    (expected,) = trained.predict(file)
    with Image.open(file) as image:
        answers = trained.predict([file.read_bytes(), np.asarray(image), image])
    assert [one.probabilities for one in answers] == [expected.probabilities] * 3
    assert [one.path for one in answers] == ["image 1", "image 2", str(file)]


def test_several_pictures_in_one_array_are_several_answers(trained: Classifier) -> None:
    assert len(trained.predict(np.zeros((3, 64, 64, 3), np.uint8))) == 3


def test_a_classifier_is_shown_on_one_screen(trained: Classifier) -> None:
    lines = repr(trained).splitlines()
    assert lines[0] == f"Classifier({str(trained.folder)!r})"
    assert lines[1] == "  3 classes: circle, cross, stripes"
    assert max(map(len, lines[1:])) <= 80


@pytest.mark.parametrize("progress", [True, False, None])
def test_steps_are_told_where_they_are_asked_for(
    shapes: Path,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    progress: bool | None,
) -> None:
    small = {"backbone": "test_resnet", "weights": tiny_weights, "size_px": 64}
    foveal.train(
        shapes, tmp_path / "run", progress=progress, backend="onnxruntime", num_folds=2, **small
    )
    assert ("Computing features" in capsys.readouterr().err) == (progress is True)


def test_an_unknown_choice_is_answered_with_the_near_one(shapes: Path) -> None:
    with pytest.raises(UsageError, match=r"no choice named 'backbon'\.\nDid you mean backbone\?"):
        foveal.train(shapes, backbon="resnet18")


def test_choices_and_a_config_exclude_each_other(shapes: Path) -> None:
    with pytest.raises(UsageError, match="either config or single choices"):
        foveal.train(shapes, config=foveal.TrainConfig(), seed=1)


def test_an_existing_run_is_kept(shapes: Path, run_folder: Path) -> None:
    with pytest.raises(RunExistsError, match="exists already"):
        foveal.train(shapes, run_folder)


def test_the_audit_counts_what_is_there(shapes: Path) -> None:
    found = foveal.audit(shapes)
    assert (found.num_images, found.num_groups, found.class_counts) == (36, 9, (12, 12, 12))


def test_the_audit_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is nothing at"):
        foveal.audit(tmp_path / "nope")


def test_evaluating_returns_the_evidence(
    run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    scored = foveal.evaluate(run_folder, make_shapes(num_per_class=4, seed=5))
    assert scored.evidence.data.class_counts == (4, 4, 4)


@pytest.fixture
def columns(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """The images as columns, with paths from the current folder."""
    monkeypatch.chdir(shapes.parent)
    files = sorted(shapes.rglob("*.png"))
    return {
        "path": [file.relative_to(shapes.parent) for file in files],
        "label": [file.parent.name for file in files],
        "patient": [f"{file.parent.name} {number // 4}" for number, file in enumerate(files)],
    }


@pytest.mark.parametrize("as_frame", [dict, pd.DataFrame])
def test_a_data_frame_is_read_like_a_table(
    columns: dict[str, list[object]], as_frame: Callable[[object], object]
) -> None:
    found = foveal.audit(as_frame(columns), groups=GroupOptions(column="patient"))
    assert (found.num_images, found.num_groups, found.class_counts) == (36, 9, (12, 12, 12))


def test_training_takes_a_data_frame_and_a_column_by_name(
    columns: dict[str, list[object]], tiny_weights: Path, tmp_path: Path
) -> None:
    small = {"backbone": "test_resnet", "weights": tiny_weights, "size_px": 64, "num_folds": 2}
    frame = pd.DataFrame(columns)
    run = foveal.train(frame, tmp_path / "run", groups="patient", backend="onnxruntime", **small)
    assert run.evidence.grouping.source == "column 'patient'"
    assert foveal.evaluate(run.folder, frame).evidence.data.num_images == 36


def test_missing_values_of_a_frame_are_missing_labels(columns: dict[str, list[object]]) -> None:
    columns["label"][0] = float("nan")
    assert foveal.audit(pd.DataFrame(columns)).num_images == 35


def test_columns_of_different_length_are_told() -> None:
    with pytest.raises(UsageError, match=r"differ in length \(path: 2, label: 1\)"):
        foveal.audit({"path": ["a.png", "b.png"], "label": ["a"]})


def test_data_of_no_known_type_are_told() -> None:
    with pytest.raises(UsageError, match="data: got int, expected a path, a data frame"):
        foveal.audit(7)
