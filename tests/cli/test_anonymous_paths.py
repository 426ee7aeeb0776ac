"""What is handed on with ``--anonymous-paths`` holds no name of a file, folder or group."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def private(make_shapes: Callable[..., Path], tmp_path: Path) -> Path:
    """Images whose folder, files and groups are named after one person."""
    data = make_shapes("Grete-Muster-data", num_per_class=8)
    for file in sorted(data.rglob("*.png")):
        file.rename(file.with_name(f"GreteMuster_{file.name}"))
    table = data / "groups.csv"
    lines = table.read_text("utf-8").splitlines()
    rows = [line.replace("/", "/GreteMuster_").replace(",", ",Grete Muster ") for line in lines[1:]]
    table.write_text("\n".join([lines[0], *rows]) + "\n", "utf-8")
    (data / "circle" / "GreteMuster_bad.png").write_bytes(b"no image")
    (data / "GreteMuster.txt").write_text("notes", "utf-8")
    return data


def test_no_name_is_left_in_the_run(
    train: Callable[..., Any], private: Path, tmp_path: Path
) -> None:
    done = train(private, "--out", tmp_path / "run", "--anonymous-paths")
    assert done.code == 0
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert len(files) > 8
    for file in files:
        content = file.read_bytes().lower()
        assert b"muster" not in content, file.name
    assert "muster" not in done.out.lower()


def test_the_table_beside_it_is_its_owners_alone(
    train: Callable[..., Any], private: Path, tmp_path: Path
) -> None:
    train(private, "--out", tmp_path / "run", "--anonymous-paths")
    table = tmp_path / "run.private.csv"
    assert table.stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert len(rows) == 25
    assert all("GreteMuster_" in row["file"] for row in rows)
