from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from pyarrow import parquet

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
    assert scored.evidence.protocol.measured_on == "seen"
    assert scored.evidence.protocol.notes[0].startswith("All 36 images had been in the training")


def resave(image: Image.Image, target: Path) -> None:
    image.save(target.with_suffix(".png"), compress_level=1)


def as_jpeg(image: Image.Image, target: Path) -> None:
    image.save(target.with_suffix(".jpg"), quality=80)


def resized(image: Image.Image, target: Path) -> None:
    image.resize((150, 150), Image.Resampling.BICUBIC).save(target.with_suffix(".png"))


def mirrored(image: Image.Image, target: Path) -> None:
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(target.with_suffix(".png"))


def turned_and_in_colour(image: Image.Image, target: Path) -> None:
    image.transpose(Image.Transpose.ROTATE_90).convert("RGB").save(target.with_suffix(".webp"))


def brighter(image: Image.Image, target: Path) -> None:
    ImageEnhance.Brightness(image).enhance(1.1).save(target.with_suffix(".bmp"))


def copy_changed(
    source: Path, target: Path, change: Callable[[Image.Image, Path], None], *, num: int
) -> None:
    """Writes changed copies of the first ``num`` images of each class."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        (target / folder.name).mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir())[:num]:
            change(Image.open(path), target / folder.name / f"copy-{path.name}")


@pytest.mark.parametrize(
    "change", [resave, as_jpeg, resized, mirrored, turned_and_in_colour, brighter]
)
def test_changed_copies_of_training_images_had_been_seen(
    run_folder: Path, shapes: Path, tmp_path: Path, change: Callable[[Image.Image, Path], None]
) -> None:
    copy_changed(shapes, tmp_path / "data", change, num=12)
    assert foveal.evaluate(run_folder, tmp_path / "data").num_seen == 36


def test_only_unseen_images_are_counted(
    run_folder: Path, shapes: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=6, seed=5)
    (data / "groups.csv").unlink()
    alone = foveal.evaluate(run_folder, data).evidence
    copy_changed(shapes, data, mirrored, num=4)
    scored = foveal.evaluate(run_folder, data)
    assert scored.num_seen == scored.evidence.protocol.num_seen == 12
    assert len(scored.predictions) == 30
    assert scored.evidence.metrics == alone.metrics
    assert scored.evidence.data == alone.data
    assert scored.evidence.calibration == alone.calibration
    assert scored.evidence.protocol.measured_on == "unseen"
    for mistake in scored.evidence.mistakes:
        assert scored.predictions[mistake.index].path.endswith(mistake.path)


def test_a_run_keeps_no_picture_of_what_it_was_trained_on(run_folder: Path) -> None:
    table = parquet.read_table(run_folder / "manifest.parquet")
    assert table.schema.field("sketch").type.byte_width == 16 * 16
    assert table["is_fitted"].to_pylist() == [True] * 36


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
