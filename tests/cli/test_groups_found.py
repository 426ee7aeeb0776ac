"""Patients that nobody named: the headline keeps them together, and it is near chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Run = Callable[..., Any]

NUM_PATIENTS, NUM_SHOTS = 16, 8


def shots() -> Iterator[tuple[int, int, str, Image.Image]]:
    """Arrangement of one coloured wallpaper a patient; the label is a coin toss a patient."""
    random = np.random.default_rng(5)
    coins = random.permutation(np.arange(NUM_PATIENTS) % 2)
    y, x = np.mgrid[:160, :160] / 160
    for patient in range(NUM_PATIENTS):
        paper: NDArray[np.float64] = np.zeros((160, 160, 3))
        for _ in range(4):
            waves = np.sin(random.uniform(-60, 60) * x + random.uniform(-60, 60) * y)
            paper += waves[..., None] * random.uniform(-1, 1, 3)
        paper = 128 + 40 * paper + random.uniform(-60, 60, 3)
        for shot in range(NUM_SHOTS):
            top, left = random.integers(0, 96, 2)
            levels = paper[top : top + 64, left : left + 64] + random.normal(0, 8, (64, 64, 3))
            pixels = np.clip(levels, 0, 255).astype(np.uint8)
            yield patient, shot, ("calm", "wild")[coins[patient]], Image.fromarray(pixels)


def save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def in_table(folder: Path) -> Path:
    rows = ["path,label,patient_id,stain"]
    for patient, shot, label, picture in shots():
        name = f"{NUM_SHOTS * patient + shot:04}.png"
        save(picture, folder / name)
        rows.append(f"{name},{label},K{patient * 37:05},HE")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "labels.csv"


def in_folders(folder: Path) -> Path:
    for patient, shot, label, picture in shots():
        save(picture, folder / label / f"K{patient:03}" / f"{shot}.png")
    return folder


def in_file_names(folder: Path) -> Path:
    for patient, shot, label, picture in shots():
        save(picture, folder / label / f"K{patient:03}_tile{shot:02}.png")
    return folder


@pytest.mark.parametrize(
    ("write", "source", "option"),
    [
        (in_table, "column 'patient_id'", "--group-column patient_id"),
        (in_folders, "folder level 2", "--group-regex '^[^/]+/([^/]+)/'"),
        (in_file_names, "part 1 of the file names", "--group-regex '(K\\d+)'"),
    ],
)
def test_the_headline_keeps_patients_together(
    write: Callable[[Path], Path], source: str, option: str, train: Run, tmp_path: Path
) -> None:
    data = write(tmp_path / "data")
    outcome = train(data, "--out", tmp_path / "run")
    evidence = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))
    assert evidence["metrics"]["accuracy"]["low"] < 0.5 < evidence["metrics"]["accuracy"]["high"]
    (tested,) = [one for one in evidence["grouping"]["tested"] if one["is_used"]]
    assert tested["mixed_accuracy"] > 0.7 > tested["apart_accuracy"]
    assert evidence["grouping"]["source"] == source
    said = " ".join(outcome.out.split())
    assert "on images of unseen groups" in said
    assert f"together by {source} (16 groups" in said
    assert option in said
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert f"groups ({source}) and near duplicates kept together".replace("'", "&#39;") in page


def test_no_groups_takes_every_image_alone_and_still_warns(train: Run, tmp_path: Path) -> None:
    outcome = train(in_folders(tmp_path / "data"), "--no-groups", "--out", tmp_path / "run")
    evidence = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))
    assert evidence["metrics"]["accuracy"]["estimate"] > 0.75
    assert "Could be groups: folder level 2" in outcome.out


def test_audit_names_the_option_to_give(foveal: Run, tmp_path: Path) -> None:
    outcome = foveal("audit", in_file_names(tmp_path / "data"))
    assert "WARNING  Could be groups: part 1 of the file names" in outcome.out
    assert "--group-regex '(K\\d+)'" in outcome.out
