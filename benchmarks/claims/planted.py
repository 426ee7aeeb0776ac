"""Sets with one planted fault each, as folders on disk, and what must be said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.claims.pictures import (
    CLASS_NAMES,
    SIZE_PX,
    Levels,
    as_image,
    cut_tile,
    draw_finding,
    draw_patient,
    draw_texture,
)

PER_CLASS = 40


@dataclass(frozen=True, slots=True)
class Planted:
    """A set on disk.

    Attributes:
        data: Folder or table to train on.
        truth: Paths that were tampered with, where single images were.
        new_data: A second set, to be evaluated on the finished run.
    """

    data: Path
    truth: frozenset[str] = frozenset()
    new_data: Path | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault. ``about`` names the group of sayings by which it is found."""

    name: str
    about: str
    plant: Callable[[Path, np.random.Generator], Planted]
    choices: dict[str, Any] = field(default_factory=dict)


def _write(folder: Path, label: int, name: str, image: Image.Image, **options: Any) -> str:
    place = folder / CLASS_NAMES[label]
    place.mkdir(parents=True, exist_ok=True)
    image.save(place / name, **options)
    return f"{CLASS_NAMES[label]}/{name}"


def honest(folder: Path, random: np.random.Generator) -> Planted:
    """Two textures in the middle of the image; every image stands on its own."""
    for label in (0, 1):
        for number in range(PER_CLASS):
            _write(folder, label, f"{number:03}.png", as_image(draw_finding(label, random)))
    return Planted(folder)


def _patients(
    folder: Path, random: np.random.Generator, place: Callable[[int, int], str]
) -> list[tuple[str, int]]:
    rows = []
    for patient in range(16):
        whole, label = draw_patient(random), patient % 2
        for tile in range(6):
            path = f"{CLASS_NAMES[label]}/{place(patient, tile)}"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            as_image(cut_tile(whole, random)).save(folder / path)
            rows.append((path, patient))
    return rows


def patient_column(folder: Path, random: np.random.Generator) -> Planted:
    """The class is a coin toss a patient; the table says which patient."""
    order = iter(random.permutation(10_000))
    rows = _patients(folder, random, lambda patient, tile: f"{next(order):04}.png")
    lines = [f"{path},{path.split('/')[0]},case {patient}" for path, patient in rows]
    table = folder / "labels.csv"
    table.write_text("\n".join(["path,label,case_no", *lines]) + "\n", "utf-8")
    return Planted(table)


def patient_folders(folder: Path, random: np.random.Generator) -> Planted:
    """The same with a folder a patient below the class."""
    _patients(folder, random, lambda patient, tile: f"P{patient:03}/{tile}.png")
    return Planted(folder)


def patient_names(folder: Path, random: np.random.Generator) -> Planted:
    """The same with the patient in the file's name."""
    _patients(folder, random, lambda patient, tile: f"pat{patient:02}_view{tile}.png")
    return Planted(folder)


def _copies(
    folder: Path, random: np.random.Generator, copy: Callable[[Image.Image], Image.Image]
) -> Planted:
    for _ in range(PER_CLASS):
        label = int(random.integers(2))
        image = as_image(draw_texture(int(random.integers(2)), random))
        _write(folder, label, f"{random.integers(10**9)}.png", image)
        _write(folder, label, f"{random.integers(10**9)}.png", copy(image))
    return Planted(folder)


def resaved_copies(folder: Path, random: np.random.Generator) -> Planted:
    """Coin-toss labels; every image is there twice, once smaller."""
    return _copies(folder, random, lambda image: image.resize((80, 80), Image.Resampling.LANCZOS))


def mirrored_copies(folder: Path, random: np.random.Generator) -> Planted:
    """The same with mirrored copies."""
    return _copies(folder, random, lambda one: one.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def turned_copies(folder: Path, random: np.random.Generator) -> Planted:
    """The same with copies turned by 90°."""
    return _copies(folder, random, lambda one: one.transpose(Image.Transpose.ROTATE_90))


def copies_across_a_split(folder: Path, random: np.random.Generator) -> Planted:
    """A given split whose test part holds images of the training part, saved again."""
    truth = set()
    for label in (0, 1):
        for number in range(PER_CLASS):
            image = as_image(draw_texture(label, random))
            _write(folder / "train", label, f"{number}.png", image)
            if number < 10:
                path = _write(folder / "test", label, f"a{number}.jpg", image, quality=92)
                truth.add(f"test/{path}")
        for number in range(15):
            new = as_image(draw_texture(label, random))
            _write(folder / "test", label, f"b{number}.png", new)
    return Planted(folder, frozenset(truth))


def seen_when_evaluated(folder: Path, random: np.random.Generator) -> Planted:
    """New data that hold some of the training images, saved again."""
    for label in (0, 1):
        for number in range(PER_CLASS):
            image = as_image(draw_texture(label, random))
            _write(folder / "old", label, f"{number}.png", image)
            if number < 10:
                _write(folder / "new", label, f"again-{number}.jpg", image, quality=92)
        for number in range(15):
            new = as_image(draw_texture(label, random))
            _write(folder / "new", label, f"{number}.png", new)
    return Planted(folder / "old", new_data=folder / "new")


def _shortcut(
    folder: Path, random: np.random.Generator, mark: Callable[[Levels], Levels]
) -> Planted:
    """The textures say nothing; what ``mark`` adds to one class says all."""
    for label in (0, 1):
        for number in range(PER_CLASS):
            levels = draw_texture(int(random.integers(2)), random)
            image = as_image(mark(levels) if label else levels)
            _write(folder, label, f"{number:03}.png", image)
    return Planted(folder)


def corner_mark(folder: Path, random: np.random.Generator) -> Planted:
    """A bright square in one corner."""

    def mark(levels: Levels) -> Levels:
        levels[4:14, 4:14] = (1.0, 0.9, 0.1)
        return levels

    return _shortcut(folder, random, mark)


def side_bars(folder: Path, random: np.random.Generator) -> Planted:
    """Black bars of 12% at the left and right."""

    def mark(levels: Levels) -> Levels:
        width = round(0.12 * SIZE_PX)
        levels[:, :width] = levels[:, -width:] = 0
        return levels

    return _shortcut(folder, random, mark)


def watermark(folder: Path, random: np.random.Generator) -> Planted:
    """Faint diagonal lines over the whole picture."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    lines = 0.12 * ((x + y) % 12 < 3)[..., None]
    return _shortcut(folder, random, lambda levels: levels + lines)


def brighter(folder: Path, random: np.random.Generator) -> Planted:
    """Another exposure."""
    return _shortcut(folder, random, lambda levels: 1.5 * levels)


def colour_cast(folder: Path, random: np.random.Generator) -> Planted:
    """Another light."""
    return _shortcut(folder, random, lambda levels: levels * (1.0, 0.92, 0.75))


def file_format(folder: Path, random: np.random.Generator) -> Planted:
    """One class came as strongly compressed JPEG, the other as PNG."""
    for label in (0, 1):
        for number in range(PER_CLASS):
            image = as_image(draw_texture(int(random.integers(2)), random))
            name = f"{number:03}.jpg" if label else f"{number:03}.png"
            _write(folder, label, name, image, **({"quality": 20} if label else {}))
    return Planted(folder)


def wrong_labels(folder: Path, random: np.random.Generator) -> Planted:
    """Six of eighty labels are swapped."""
    wrong = set(random.choice(2 * PER_CLASS, 6, replace=False).tolist())
    truth = set()
    for number in range(2 * PER_CLASS):
        shown = number % 2
        label = 1 - shown if number in wrong else shown
        path = _write(folder, label, f"{number:03}.png", as_image(draw_texture(shown, random)))
        if number in wrong:
            truth.add(path)
    return Planted(folder, frozenset(truth))


def random_labels(folder: Path, random: np.random.Generator) -> Planted:
    """Labels drawn by coin toss: nothing can be learnt."""
    for number in range(2 * PER_CLASS):
        image = as_image(draw_texture(int(random.integers(2)), random))
        _write(folder, int(random.integers(2)), f"{number:03}.png", image)
    return Planted(folder)


KINDS: tuple[Kind, ...] = (
    Kind("patients in a column", "leak", patient_column),
    Kind("patients in folders", "leak", patient_folders),
    Kind("patients in file names", "leak", patient_names),
    Kind("copies, saved smaller", "leak", resaved_copies),
    Kind("copies, mirrored", "leak", mirrored_copies),
    Kind("copies, turned by 90°", "leak", turned_copies),
    Kind("copies across a given split", "seen", copies_across_a_split),
    Kind("training images in new data", "seen", seen_when_evaluated),
    Kind("a mark in the corner", "shortcut", corner_mark),
    Kind("bars of 12% at two sides", "shortcut", side_bars),
    Kind("a watermark over the whole image", "shortcut", watermark),
    Kind("brightness", "shortcut", brighter),
    Kind("a colour cast", "shortcut", colour_cast),
    Kind("the file's format", "shortcut", file_format),
    Kind("six wrong labels in eighty", "labels", wrong_labels),
    Kind("random labels", "chance", random_labels),
)
