from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

Run = Callable[..., Any]


def test_new_data_give_a_headline_beside_the_old(
    foveal: Run, run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    outcome = foveal("evaluate", run_folder, make_shapes(num_per_class=6, seed=5))
    assert outcome.code == 0
    assert "on images it had not seen" in outcome.out
    assert "In training" in outcome.out


def test_training_data_are_called_so(foveal: Run, run_folder: Path, shapes: Path) -> None:
    shown = " ".join(foveal("evaluate", run_folder, shapes).out.split())
    assert "on the very images it was trained on" in shown
    assert "All 36 images had been in the training data" in shown
    assert "not seen" not in shown


def test_json_has_the_figures(foveal: Run, run_folder: Path, shapes: Path) -> None:
    shown = json.loads(foveal("evaluate", run_folder, shapes, "--json").out)
    assert shown["num_seen"] == shown["data"]["num_images"] == 36
    assert shown["protocol"]["measured_on"] == "seen"


def test_the_headline_counts_what_had_not_been_seen(
    foveal: Run, run_folder: Path, shapes: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=5, seed=5)
    (data / "groups.csv").unlink()
    for name in ("circle", "cross"):
        Image.open(shapes / name / "000.png").save(data / name / "again.bmp")
    shown = " ".join(foveal("evaluate", run_folder, data).out.split())
    assert "on 15 unseen images; 2 of the 17 had been seen" in shown
    content = json.loads(foveal("evaluate", run_folder, data, "--json").out)
    assert (content["num_seen"], content["metrics"]["num_images"]) == (2, 15)


def test_an_unknown_class_is_exit_code_3(
    foveal: Run, run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=4)
    (data / "groups.csv").unlink()
    (data / "circle").rename(data / "zebra")
    outcome = foveal("evaluate", run_folder, data)
    assert (outcome.code, outcome.out) == (3, "")
    assert "class 'zebra' that the run does not know" in outcome.err


def test_files_that_cannot_be_read_are_exit_code_1(
    foveal: Run, run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    data = make_shapes(num_per_class=4, seed=5)
    (data / "circle" / "broken.png").write_bytes(b"no image")
    (data / "cross" / "empty.jpg").write_bytes(b"")
    for more in ((), ("--json",)):
        outcome = foveal("evaluate", run_folder, data, *more)
        assert outcome.code == 1
        assert "2 of 14 files could not be used." in outcome.err
        assert outcome.out
