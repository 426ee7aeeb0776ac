"""Shares of classes from a table: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import Manifest, scan
from foveal.dataset.soft_labels import read_soft_labels
from foveal.errors import DataError, FovealError, UsageError


def manifest_of(folder: Path, rows: list[str], header: str = "path,label,p") -> Manifest:
    lines = [header]
    for number, row in enumerate(rows):
        Image.new("L", (9, 9), 20 * number).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{row}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return scan(folder / "table.csv")


def test_one_column_of_two_classes_gives_the_rest_to_the_other(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, ["bad,1", "bad,0.6667", "good,0.3333", "good,0"])
    found = read_soft_labels(manifest, ("P=bad",))
    np.testing.assert_allclose(found[:, 0], [1, 0.6667, 0.3333, 0], atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_a_column_a_class_may_add_up_by_written_thirds(tmp_path: Path) -> None:
    manifest = manifest_of(
        tmp_path, ["a,0.667,0.333,0", "b,0.2,0.5,0.3", "c,0,0,1"], "path,label,x,y,z"
    )
    found = read_soft_labels(manifest, ("x=a", "y=b", "z=c"))
    np.testing.assert_allclose(found[1], [0.2, 0.5, 0.3], atol=1e-6)
    two = read_soft_labels(manifest, ("z=c", "x=a"))
    np.testing.assert_allclose(found, two, atol=1e-3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["bad,1", "good,-0.2"], "share of 1.png is '-0.2'; expected a number from 0 to 1"),
        (["bad,1.2", "good,0"], "share of 0.png is '1.2'"),
        (["bad,", "good,0"], "share of 0.png is ''"),
        (["bad,often", "good,0"], "share of 0.png is 'often'"),
        (["bad,nan", "good,0"], "share of 0.png is 'nan'"),
        (["bad,inf", "good,0"], "share of 0.png is 'inf'"),
        (["bad,0.5", "good,0"], "its label is not its likeliest class. 1 images"),
        (["bad,0.2", "good,0.9"], "its label is not its likeliest class. 2 images"),
    ],
)
def test_cells_that_are_no_shares_are_named(tmp_path: Path, rows: list[str], message: str) -> None:
    manifest = manifest_of(tmp_path, rows)
    with pytest.raises(DataError, match=message):
        read_soft_labels(manifest, ("p=bad",))


@pytest.mark.parametrize("rows", [["a,0.9,0.3", "b,0,1"], ["a,0.7,0.2", "b,0,1"]])
def test_rows_that_do_not_add_up_are_named(tmp_path: Path, rows: list[str]) -> None:
    manifest = manifest_of(tmp_path, rows, "path,label,x,y")
    with pytest.raises(DataError, match=r"shares of 0.png add up to .*; expected 1"):
        read_soft_labels(manifest, ("x=a", "y=b"))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("p",), "expected COLUMN=CLASS"),
        (("q=bad",), "there is no column 'q'"),
        (("p=bed",), "there is no class 'bed'.\nDid you mean bad"),
        (("p=bad", "p=bad"), "names the class bad twice"),
        (("label=bad",), "there is no column 'label'"),
    ],
)
def test_wrong_choices_are_refused(tmp_path: Path, choices: tuple[str, ...], message: str) -> None:
    manifest = manifest_of(tmp_path, ["bad,1", "good,0"])
    with pytest.raises(UsageError, match=message):
        read_soft_labels(manifest, choices)


def test_too_few_columns_and_a_folder_without_a_table_are_refused(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, ["a,1", "b,0", "c,0"])
    with pytest.raises(UsageError, match="columns for 1 of 3 classes; missing are b, c"):
        read_soft_labels(manifest, ("p=a",))
    for name in "ab":
        (tmp_path / "folder" / name).mkdir(parents=True)
        Image.new("L", (9, 9), ord(name)).save(tmp_path / "folder" / name / "0.png")
    with pytest.raises(FovealError, match="there is no column 'p'"):
        read_soft_labels(scan(tmp_path / "folder"), ("p=a",))
