"""A folder with a table in it: which of the two says what the labels are."""

from __future__ import annotations

import pytest

from foveal.dataset import DataOptions, scan
from foveal.errors import DataError


def write(data, name, *rows):
    (data / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


def labels(manifest):
    return {record.path: record.label for record in manifest.usable}


def test_a_table_beside_images_without_folders_gives_the_labels(put, data):
    put("1.png", 1)
    put("images/2.png", 2)
    write(data, "labels.csv", "path,label", "1.png,cat", "2.png,dog")
    manifest = scan(data)
    assert labels(manifest) == {"1.png": "cat", "images/2.png": "dog"}
    assert "The labels come from labels.csv." in manifest.notes


def test_a_table_that_agrees_with_the_folders_adds_its_columns(put, data):
    for name in ("a/1", "a/2", "b/3", "b/4"):
        put(f"{name}.png", int(name[-1]))
    rows = [f"{k}/{i}.png,{k},g{i}" for k, i in (("a", 1), ("a", 2), ("b", 3), ("b", 4))]
    write(data, "labels.csv", "path,label,remark", *rows)
    manifest = scan(data)
    assert manifest.column_names == ("remark",)
    assert "labels.csv says the same as the folders; it was read instead." in manifest.notes


def test_a_table_that_disagrees_is_passed_over_with_a_note(put, data):
    put("a/1.png", 1)
    put("b/2.png", 2)
    write(data, "labels.csv", "path,label", "a/1.png,x", "b/2.png,y")
    manifest = scan(data)
    assert labels(manifest) == {"a/1.png": "a", "b/2.png": "b"}
    assert any("labels.csv in the same folder was not used" in note for note in manifest.notes)


def test_a_competition_is_read_from_its_table(put, data):
    for i in range(4):
        put(f"train/{i}.png", i)
    put("test/9.png", 9)
    write(data, "train.csv", "id,target", *(f"{i},{'ab'[i % 2]}" for i in range(4)))
    write(data, "sample_submission.csv", "id,target", "9,a")
    assert labels(scan(data)) == {f"train/{i}.png": "ab"[i % 2] for i in range(4)}


def test_two_tables_that_could_give_the_labels_are_refused(put, data):
    put("1.png", 1)
    for name in ("one.csv", "two.csv"):
        write(data, name, "path,label", "1.png,cat")
    with pytest.raises(DataError, match=r"several tables that could give their labels: one\.csv"):
        scan(data)


def test_small_classes_are_left_out_by_name(put, data):
    for number, name in enumerate(("a/1", "a/2", "b/1", "b/2", "rare/1")):
        put(f"{name}.png", number)
    manifest = scan(data, options=DataOptions(min_images=2))
    assert manifest.class_names == ("a", "b")
    assert manifest.notes[-1] == (
        "1 class was left out for having fewer than 2 usable images: 'rare' (1)."
    )
    assert [record.problem.code for record in manifest.bad] == ["small_class"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["path,label,label", "1.png,cat,cat"], "two columns 'label'"),
        (["path,class,category", "1.png,cat,x"], "several that could be it"),
        (["path,label", "1.png,cat,x"], "3 values in line 2"),
        (["1.png,cat", "2.png,dog"], "has no column 'path'"),
        (["path,cat,dog", "1.png,1,0", "2.png,0,1"], "hold zeros and ones"),
        (["path,label"], "has no rows"),
        (["path,label", "1.png,c\0t"], "zero byte in line 2"),
    ],
    ids=["two columns", "two labels", "long row", "no header", "one-hot", "no rows", "zero byte"],
)
def test_the_only_table_says_why_it_gives_no_labels(put, data, rows, said):
    put("1.png", 1)
    put("2.png", 2)
    write(data, "labels.csv", *rows)
    with pytest.raises(DataError, match=said):
        scan(data)


def test_a_table_that_cannot_be_read_beside_class_folders_is_named_with_the_reason(put, data):
    put("a/1.png", 1)
    put("b/2.png", 2)
    write(data, "labels.csv", "path,label,label", "a/1.png,a,a", "b/2.png,b,b")
    (note,) = (note for note in scan(data).notes if note.startswith("The folders give"))
    assert note == (
        "The folders give the labels; labels.csv was not used: The table 'labels.csv' has two "
        "columns 'label'."
    )


def test_a_spreadsheet_that_is_no_table_of_ours_is_told_what_to_do(put, data):
    put("1.png", 1)
    (data / "labels.xlsx").write_bytes(b"PK\x03\x04")
    assert any("labels.xlsx is no table that can be read" in note for note in scan(data).notes)


def test_the_columns_of_a_table_without_labels_are_joined_to_class_folders(put, data):
    paths = [f"{'ab'[i % 2]}/{i}.png" for i in range(24)]
    for i, path in enumerate(paths):
        put(path, i)
    rows = [f"{path},p{i // 4}" for i, path in enumerate(paths)]
    write(data, "metadata.csv", "file,patient_id", *rows)
    manifest = scan(data)
    assert manifest.group_source == "column 'patient_id'"
    assert {r.group for r in manifest.usable} == {f"p{i}" for i in range(6)}
    assert "metadata.csv gives no labels; its other columns were read." in manifest.notes
