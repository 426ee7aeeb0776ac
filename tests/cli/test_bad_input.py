"""What people really have on their disks: each case is named, none is fatal to the others."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from foveal.runs import load

Run = Callable[..., Any]
MakeShapes = Callable[..., Path]


def read_problems(run: Path) -> dict[str, str]:
    table = parquet.read_table(run / "manifest.parquet", columns=["path", "problem"])
    rows = zip(table["path"].to_pylist(), table["problem"].to_pylist(), strict=True)
    return {path: problem for path, problem in rows if problem}


def write_bomb(file: Path) -> None:
    """A PNG of a few bytes that promises 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_files_that_cannot_be_used_are_set_aside_by_name(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    data = make_shapes()
    circle = data / "circle"
    whole = (circle / "000.png").read_bytes()
    (circle / "text.jpg").write_text("hello")
    (circle / "empty.png").write_bytes(b"")
    (circle / "half.png").write_bytes(whole[: len(whole) // 2])
    write_bomb(circle / "bomb.png")
    (tmp_path / "secret.png").write_bytes(whole)
    (circle / "link.png").symlink_to(tmp_path / "secret.png")
    outcome = train(data, "--out", tmp_path / "run")
    assert outcome.code == 0
    assert read_problems(tmp_path / "run") == {
        "circle/text.jpg": "not_an_image",
        "circle/empty.png": "empty_file",
        "circle/half.png": "truncated",
        "circle/bomb.png": "too_large",
        "circle/link.png": "outside_folder",
    }


def test_hostile_names_are_data_like_any_other(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    data = make_shapes()
    (data / "groups.csv").unlink()
    (data / "stripes").rename(data / "<img src=x onerror=alert(1)>")
    names = [
        "two\nlines.png",
        "👩‍🔬.png",
        os.fsdecode(b"caf\xe9.png"),
        "<script>x.png",
        "A.png",
        "a.png",
    ]
    for number, name in enumerate(names):
        (data / "circle" / f"{number:03}.png").rename(data / "circle" / name)
    outcome = train(data, "--out", tmp_path / "run")
    assert outcome.code == 0
    paths = parquet.read_table(tmp_path / "run" / "oof.parquet")["path"].to_pylist()
    assert {path.removeprefix("circle/") for path in paths} >= {
        *("two\\nlines.png", "👩‍🔬.png", "caf\\xe9.png", "<script>x.png", "A.png", "a.png")
    }
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "<script>x" not in page
    assert "<img src=x" not in page


def test_the_package_that_a_compressed_dicom_needs_is_named(
    foveal: Run,
    make_shapes: MakeShapes,
    write_dicom: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import JPEGLSLossless

    monkeypatch.setattr(get_decoder(JPEGLSLossless), "_available", {})
    data = make_shapes()
    file = write_dicom(data / "circle" / "compressed.dcm", np.zeros((32, 32), np.uint8))
    dataset = dcmread(file)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(file, enforce_file_format=True)
    outcome = foveal("audit", data)
    assert outcome.code == 0
    assert "need a decoder for JPEG-LS (pip install python-gdcm)" in " ".join(outcome.out.split())


@pytest.mark.parametrize(
    ("option", "word", "near"),
    [("--backend", "onxruntime", "onnxruntime"), ("--backbone", "resnet81", "resnet")],
)
def test_a_wrong_word_is_answered_before_the_images_are_read(
    foveal: Run, shapes: Path, tmp_path: Path, option: str, word: str, near: str
) -> None:
    outcome = foveal("train", shapes, "--out", tmp_path / "run", option, word)
    assert outcome.code == 2
    assert f"Did you mean {near}" in outcome.err
    assert "Reading the images" not in outcome.err


def test_missing_weights_are_named_before_the_images_are_read(
    foveal: Run, shapes: Path, tmp_path: Path
) -> None:
    outcome = foveal("train", shapes, "--out", tmp_path / "run", "--weights", tmp_path / "w.pth")
    assert outcome.code == 3
    assert "w.pth does not exist" in outcome.err
    assert "Reading the images" not in outcome.err


def test_a_data_folder_whose_name_is_no_utf8(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    data = make_shapes().rename(tmp_path / os.fsdecode(b"caf\xe9"))
    run = tmp_path / os.fsdecode(b"r\xfcn")
    assert train(data, "--out", run).code == 0
    assert load(run).predict(data / "circle" / "000.png")[0].error is None


def test_classes_whose_names_differ_in_case_alone_stay_apart(
    train: Run, make_shapes: MakeShapes, tmp_path: Path
) -> None:
    data = make_shapes()
    (data / "groups.csv").unlink()
    (data / "cross").rename(data / "Circle")
    train(data, "--out", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert sorted(config["label_names"]) == ["Circle", "circle", "stripes"]


def test_a_table_with_holes(train: Run, make_shapes: MakeShapes, tmp_path: Path) -> None:
    data = make_shapes()
    rows = [f"{path.relative_to(data)},{path.parent.name}" for path in sorted(data.rglob("*.png"))]
    rows[0] = rows[0].partition(",")[0] + ","
    (data / "table.csv").write_text("\n".join(["path,label", *rows, "nope.png,circle"]), "utf-8")
    assert train(data / "table.csv", "--out", tmp_path / "run").code == 0
    assert read_problems(tmp_path / "run") == {
        "circle/000.png": "missing_label",
        "nope.png": "missing",
    }


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "There are no images in"),
        ({"a": 3}, "belong to one class, 'a'"),
        ({"a": 3, "b": 1}, "Class 'b' has only 1 usable image"),
    ],
)
def test_data_that_cannot_be_learned_from(
    foveal: Run, tmp_path: Path, classes: dict[str, int], message: str
) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for name, count in classes.items():
        (tmp_path / "data" / name).mkdir()
        for number in range(count):
            pixels = random.integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    outcome = foveal("train", tmp_path / "data", "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (3, "")
    assert message in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "1"], "got 1, expected at least 2"),
        (["--test-size", "2"], "got 2, expected a number between 0 and 1"),
        (["--views", "identity,hflop"], "no view named 'hflop'.\nDid you mean hflip?"),
        (["--group-regex", "("], "is not a regular expression"),
        (["--size", "3"], "got 3 pixels, expected 16 to 4096"),
        (["--alpha", "1.5"], "got 1.5, expected a number between 0 and 1"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--workers", "0"], "0 is not in the range"),
        (["--backbone", "tf_efficientnet_lit0"], "Did you mean tf_efficientnet_lite0"),
    ],
)
def test_a_wrong_option_is_exit_code_2(
    foveal: Run, shapes: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    outcome = foveal("train", shapes, "--out", tmp_path / "run", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert list(tmp_path.iterdir()) == []


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.file, "w"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "cannot be read as a checkpoint of plain tensors"),
        (pickle.dumps({"a": [1, 2]}), "cannot be read as a checkpoint of plain tensors"),
        (pickle.dumps([1, 2], protocol=2), "cannot be read as a checkpoint of plain tensors"),
    ],
)
def test_weights_that_are_none(
    foveal: Run, shapes: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    outcome = foveal("train", shapes, "--out", tmp_path / "r", "--weights", tmp_path / "w.pth")
    assert outcome.code == 3
    assert message in outcome.err
    assert "Warning" not in outcome.err


def test_a_pickle_that_runs_code_does_not(foveal: Run, shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    outcome = foveal("train", shapes, "--out", tmp_path / "r", "--weights", tmp_path / "w.pth")
    assert outcome.code == 3
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_network_do_not_fit(
    foveal: Run, shapes: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    outcome = foveal("train", shapes, "--out", tmp_path / "r", "--weights", tiny_weights)
    assert outcome.code == 3
    assert "does not fit tf_efficientnet_lite0" in outcome.err


def test_no_patients_name_is_written_anywhere(
    train: Run,
    write_dicom: Callable[..., Path],
    make_shapes: MakeShapes,
    cache_folder: Path,
    tmp_path: Path,
) -> None:
    for image in sorted(make_shapes("plain").rglob("*.png")):
        file = tmp_path / "data" / image.parent.name / f"{image.stem}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(
            file,
            np.asarray(Image.open(image)),
            PatientName="Planted^Penelope",
            PatientID=f"PLANTED-{int(image.stem) // 3}",
            PatientBirthDate="19121212",
            InstitutionName="Planted Hospital",
        )
    outcome = train(tmp_path / "data", "--out", tmp_path / "run")
    assert outcome.code == 0
    assert "DICOM PatientID (hashed)" in outcome.out
    # One patient has three images of each of the three classes.
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["data"]["num_groups"] == 4
    written = [outcome.out.encode(), outcome.err.encode()]
    for folder in (tmp_path / "run", cache_folder):
        for file in filter(Path.is_file, folder.rglob("*")):
            written += [file.read_bytes(), _uncompressed(file)]
    everything = b"\n".join(written).lower()
    assert [word for word in (b"planted", b"penelope", b"19121212") if word in everything] == []


def _uncompressed(file: Path) -> bytes:
    """Returns what a compressed or paged file holds, as text."""
    if file.suffix == ".parquet":
        return repr(parquet.read_table(file).to_pylist()).encode()
    if file.suffix == ".sqlite":
        with sqlite3.connect(file) as connection:
            return "\n".join(connection.iterdump()).encode()
    return b""
