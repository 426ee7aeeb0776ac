from __future__ import annotations

import os

import pytest

from foveal.dataset.tables import list_table
from foveal.errors import DataError, UsageError


@pytest.fixture
def table(data):
    def write(content: str, *files: str):
        for name in files:
            target = data / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"x")
        path = data / "labels.csv"
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        return path

    return write


def problems(listing):
    return [record.problem and record.problem.code for record in listing.records]


def test_rows_become_records_in_their_order(table):
    path = table(
        "path,label,group,split\nx/b.png,dog,g1,train\na.png,cat,g2,Validation\n",
        "a.png",
        "x/b.png",
    )
    listing = list_table(path)
    assert [(r.path, r.label, r.group, r.split) for r in listing.records] == [
        ("x/b.png", "dog", "g1", "train"),
        ("a.png", "cat", "g2", "val"),
    ]
    assert listing.root == path.parent
    assert listing.group_column == "group"


def test_a_row_without_a_label_is_set_aside_with_its_line(table):
    listing = list_table(table("path,label\na.png,\n", "a.png"))
    assert listing.records[0].problem.code == "missing_label"
    assert listing.records[0].problem.message == "its label is empty (line 2)"


def test_a_path_that_does_not_exist_is_set_aside(table):
    assert problems(list_table(table("path,label\nnone.png,cat\n"))) == ["missing"]


def test_a_path_that_leads_out_is_set_aside(table, tmp_path):
    (tmp_path / "out.png").write_bytes(b"x")
    path = table(f"path,label\n../out.png,cat\n{tmp_path}/out.png,cat\n/etc/passwd,cat\n")
    assert problems(list_table(path)) == ["outside_folder"] * 3


def test_a_link_that_leads_out_is_set_aside(table, data, tmp_path):
    (tmp_path / "out.png").write_bytes(b"x")
    (data / "link.png").symlink_to(tmp_path / "out.png")
    assert problems(list_table(table("path,label\nlink.png,cat\n"))) == ["outside_folder"]


def test_an_absolute_path_into_the_folder_becomes_relative(table, data):
    listing = list_table(table(f"path,label\n{data}/x/a.png,cat\n", "x/a.png"))
    assert [record.path for record in listing.records] == ["x/a.png"]
    assert problems(listing) == [None]


def test_backslashes_are_folders_where_no_file_is_called_so(table):
    listing = list_table(table("path,label\nx\\a.png,cat\n", "x/a.png"))
    assert [record.path for record in listing.records] == ["x/a.png"]


def test_folders_and_pipes_are_set_aside(table, data):
    (data / "folder").mkdir()
    os.mkfifo(data / "pipe.png")
    listing = list_table(table("path,label\nfolder,cat\npipe.png,cat\n"))
    assert [record.problem.message for record in listing.records] == [
        "it is a folder, not a file",
        "it is a named pipe, not a file",
    ]


def test_equal_rows_count_once(table):
    listing = list_table(table("path,label\na.png,cat\n./a.png,cat\n", "a.png"))
    assert problems(listing) == [None, "repeated_row"]
    assert listing.records[1].problem.message == (
        "the table names it more than once (line 2, line 3)"
    )


@pytest.mark.parametrize(
    "rows",
    [
        "a.png,cat,g,train\na.png,dog,g,train\n",
        "a.png,cat,g,train\na.png,cat,h,train\n",
        "a.png,cat,g,train\na.png,cat,g,test\n",
    ],
    ids=["label", "group", "split"],
)
def test_rows_that_disagree_are_all_set_aside(table, rows):
    listing = list_table(table(f"path,label,group,split\n{rows}", "a.png"))
    assert problems(listing) == ["conflicting_rows"] * 2


def test_a_file_name_of_any_bytes_is_found(table):
    listing = list_table(table("path,label\ncaf\udce9.png,cat\n", "caf\udce9.png"))
    assert problems(listing) == [None]


def test_a_zero_byte_from_parquet_is_a_missing_file(data):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"path": ["a\x00.png"], "label": ["cat"]}), data / "t.parquet")
    assert problems(list_table(data / "t.parquet")) == ["missing"]


def test_a_row_without_a_path_is_refused_with_its_line(table):
    with pytest.raises(DataError, match=r"'labels.csv' has no path in line 3"):
        list_table(table("path,label\na.png,cat\n,dog\n", "a.png"))


def test_an_unknown_split_is_refused_with_its_line(table):
    with pytest.raises(DataError, match="names the split 'holdout' in line 2"):
        list_table(table("path,label,split\na.png,cat,holdout\n", "a.png"))


def test_a_split_that_is_sometimes_empty_is_refused_with_the_line(table):
    content = "path,label,split\na.png,cat,train\nb.png,dog,\n"
    with pytest.raises(DataError, match="some rows a split, but not line 3"):
        list_table(table(content, "a.png", "b.png"))


def test_an_empty_split_column_is_no_split(table):
    listing = list_table(table("path,label,split\na.png,cat,\n", "a.png"))
    assert listing.records[0].split is None


def test_another_column_can_hold_the_groups(table):
    path = table("path,label,group,Patient\na.png,cat,g,p7\n", "a.png")
    listing = list_table(path, group_column="patient")
    assert listing.records[0].group == "p7"


def test_a_group_column_that_is_not_there_is_wrong_usage(table):
    with pytest.raises(UsageError, match="Did you mean 'patient'"):
        list_table(table("path,label,patient\na.png,cat,p\n", "a.png"), group_column="patients")
