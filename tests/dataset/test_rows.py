from __future__ import annotations

import csv
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foveal.dataset.rows import read_table
from foveal.errors import DataError, MissingExtraError

NEEDED = ("path", "label")


@pytest.fixture
def write(tmp_path):
    def make(content: str | bytes, name: str = "labels.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def values(table):
    return [tuple(row.values.values()) for row in table.rows]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(write, separator):
    table = read_table(write(f"path{separator}label\na.png{separator}cat\n"), required=NEEDED)
    assert values(table) == [("a.png", "cat")]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfpath,label\na.png,cat\n",
        "path,label\na.png,cat\n".encode("utf-16"),
        b"path,label\r\na.png,cat\r\n",
        b"path,label\ra.png,cat\r",
        b" Path , LABEL \na.png, cat \n",
        b'"path","label"\n"a.png","cat"\n',
        b"\n\npath,label\n\n,\na.png,cat\n\n",
    ],
    ids=["BOM", "UTF-16", "Windows", "old Mac", "blanks", "quotes", "blank lines"],
)
def test_what_spreadsheets_write_is_read(write, content):
    assert values(read_table(write(content), required=NEEDED)) == [("a.png", "cat")]


def test_a_quoted_line_break_stays_in_its_value_and_lines_are_counted_on(write):
    table = read_table(write('path,label\n"a\nb.png",cat\nc.png,dog\n'), required=NEEDED)
    assert table.rows[0].values["path"] == "a\nb.png"
    assert [row.where for row in table.rows] == ["line 2", "line 4"]


def test_a_quoted_separator_stays_in_its_value(write):
    assert values(read_table(write('path,label\n"a,b.png",cat\n'), required=NEEDED)) == [
        ("a,b.png", "cat")
    ]


def test_what_is_no_utf_8_is_read_as_windows_1252(write):
    table = read_table(write(b"path,label\ncaf\xe9.png,\x80uro\n"), required=NEEDED)
    assert values(table) == [("café.png", "€uro")]
    assert table.encoding == "cp1252"


def test_another_encoding_can_be_named(write):
    content = "path,label\na.png,고양이\n".encode("cp949")
    assert values(read_table(write(content), required=NEEDED, encoding="cp949")) == [
        ("a.png", "고양이")
    ]
    with pytest.raises(DataError, match=r"is not ascii: line 2 has bytes that it does not know"):
        read_table(write(content), required=NEEDED, encoding="ascii")


def test_a_short_row_is_filled_with_nothing(write):
    assert values(read_table(write("path,label\na.png\n"), required=NEEDED)) == [("a.png", "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"'labels.csv' is empty"),
        ("\n\n", r"'labels.csv' is empty"),
        ("file,label\na.png,cat\n", r"has no column 'path'; its first line names 'file', 'label'"),
        ("a.png cat\nb.png dog\n", r"has no column 'path'; its first line names 'a.png cat'"),
        ("path,label,label\n", r"has two columns 'label'"),
        ("path,label\na.png,cat,extra\n", r"has 3 values in line 2, but 2 columns"),
        ('path,label\na.png,cat\nb.png,"dog\n', r"cannot be read from line 3 on"),
        ('path,label\n"a"b.png,cat\n', r"cannot be read from line 2 on"),
        ("path,label\na.png,c\x00t\n", r"zero byte in line 2"),
    ],
)
def test_a_broken_table_is_refused_with_file_and_line(write, content, message):
    with pytest.raises(DataError, match=message):
        read_table(write(content), required=NEEDED)


def test_a_near_name_is_offered_for_a_missing_column(write):
    with pytest.raises(DataError, match="Rename the column 'labels' to 'label'"):
        read_table(write("path,labels\n"), required=NEEDED)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"'none.csv' cannot be read: No such file"):
        read_table(tmp_path / "none.csv", required=NEEDED)


def test_parquet_values_become_text(tmp_path):
    path = tmp_path / "labels.parquet"
    columns = {
        "path": pa.array(["a.png", "b.png", "c.png", "d.png"]),
        "label": pa.array([1, 2, None, 3]),
        "group": pa.array(["x", "x", None, "y"]).dictionary_encode(),
        "score": pa.array([0.5, float("nan"), None, 1.0]),
    }
    pq.write_table(pa.table(columns), path)
    table = read_table(path, required=NEEDED)
    assert values(table) == [
        ("a.png", "1", "x", "0.5"),
        ("b.png", "2", "x", ""),
        ("c.png", "", "", ""),
        ("d.png", "3", "y", "1.0"),
    ]
    assert table.rows[2].where == "row 3"


def test_parquet_that_is_none_is_refused(write):
    with pytest.raises(DataError, match=r"'labels.parquet' is not a Parquet file"):
        read_table(write("path,label\n", "labels.parquet"), required=NEEDED)


def test_parquet_without_pyarrow_names_the_package(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pip install pyarrow"):
        read_table(write("", "labels.parquet"), required=NEEDED)


@pytest.mark.parametrize("mark", [";", "\t", "|", ","])
def test_the_first_line_may_name_the_separator_as_excel_writes_it(write, mark):
    table = read_table(write(f"sep={mark}\r\npath{mark}label\r\na.png{mark}cat\r\n"))
    assert values(table) == [("a.png", "cat")]
    assert table.rows[0].where == "line 3"


def test_a_cell_of_a_million_characters_is_read_and_the_limit_of_the_process_kept(write):
    before = csv.field_size_limit()
    table = read_table(write(f"path,label,mask\na.png,cat,{'1 ' * 500_000}\n"))
    assert len(table.rows[0].values["mask"]) == 999_999
    assert csv.field_size_limit() == before
