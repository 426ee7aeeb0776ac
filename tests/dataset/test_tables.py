from __future__ import annotations

import os

import pytest

from foveal.dataset.options import DataOptions
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


def test_paths_that_lead_out_of_the_folder_are_followed_and_counted(table, tmp_path):
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes(b"x")
    listing = list_table(table(f"path,label\n../one.png,cat\n{tmp_path}/two.png,cat\n"))
    assert problems(listing) == [None, None]
    assert [record.path for record in listing.records] == ["../one.png", "../two.png"]
    assert listing.notes == (
        "2 paths of the table lead outside the table's folder; they were read there.",
    )


def test_a_link_that_leads_out_is_followed(table, data, tmp_path):
    (tmp_path / "out.png").write_bytes(b"x")
    (data / "link.png").symlink_to(tmp_path / "out.png")
    assert problems(list_table(table("path,label\nlink.png,cat\n"))) == [None]


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
    with pytest.raises(DataError, match="names the split 'maybe' in line 2"):
        list_table(table("path,label,split\na.png,cat,maybe\n", "a.png"))


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


def test_other_column_names_are_read_and_said(table):
    listing = list_table(table("image_id;dx\na.png;mel\nb.png;nv\n", "a.png", "b.png"))
    assert [(r.path, r.label) for r in listing.records] == [("a.png", "mel"), ("b.png", "nv")]
    assert "The column 'image_id' was read as the path" in listing.notes[0]
    assert "--label-column" in listing.notes[1]


def test_columns_can_be_named(table):
    path = table("Foto,Art,label\na.png,x,1\nb.png,y,2\n", "a.png", "b.png")
    listing = list_table(path, options=DataOptions(path_column="foto", label_column="ART"))
    assert [(r.path, r.label) for r in listing.records] == [("a.png", "x"), ("b.png", "y")]
    assert listing.column_names == ("label",)
    with pytest.raises(UsageError, match="no column 'Fotos' to read as the path"):
        list_table(path, options=DataOptions(path_column="Fotos"))


def test_two_columns_that_could_be_the_label_are_refused(table):
    with pytest.raises(DataError, match="'class' or 'diagnosis'") as caught:
        list_table(table("path,diagnosis,class\na.png,x,1\n", "a.png"))
    assert "--label-column class" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("ISIC_0027419", "ISIC_0027419.jpg"),
        ("x/a.png", "x/a.JPG"),
        ("a.dcm", "a.png"),
        ("a.v2", "a.v2.tif"),
        ("U\u0308bung.png", "\u00dcbung.png"),
        ("\u00dcbung.png", "U\u0308bung.png"),
        ("a.png", "images/deep/a.png"),
        ("/gone/away/a.png", "images/a.png"),
        ("C:\\data\\a.png", "images/a.png"),
    ],
)
def test_a_file_that_is_called_a_little_otherwise_is_found(table, written, file):
    listing = list_table(table(f"path,label\n{written},cat\n", file, "other.png"))
    assert [record.path for record in listing.records] == [file]
    assert problems(listing) == [None]


def test_a_name_that_two_files_have_is_not_guessed(table):
    listing = list_table(table("path,label\na,cat\n", "a.png", "a.jpg"))
    assert problems(listing) == ["missing"]


def test_latin_1_tables_are_read_and_their_files_found(table, data):
    path = table("path,label\n", "Gr\u00fcn.png")
    path.write_bytes("path,label\nGr\u00fcn.png,h\u00e4\u00dflich\n".encode("latin-1"))
    listing = list_table(path)
    assert [(r.path, r.label) for r in listing.records] == [("Gr\u00fcn.png", "h\u00e4\u00dflich")]
    assert problems(listing) == [None]
    assert "it was read as cp1252" in listing.notes[0]


def test_names_in_bytes_that_are_no_utf_8_are_found(table, data):
    (data / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    path = table("path,label\n")
    path.write_bytes(b"path,label\ncaf\xe9.png,cat\n")
    assert problems(list_table(path)) == [None]


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "NULL", "?", "N/A", "<NA>", "-"])
def test_words_for_no_label_are_set_aside_and_said(table, word):
    content = f"path,label\na.png,cat\nb.png,{word}\n"
    listing = list_table(table(content, "a.png", "b.png"))
    assert problems(listing) == [None, "missing_label"]
    assert f"'{word}' (1)" in listing.notes[0]
    assert "--labels-as-written" in listing.notes[0]
    written = list_table(table(content), options=DataOptions(labels="as written"))
    assert [record.label for record in written.records] == ["cat", word]


def test_none_as_a_person_writes_it_is_a_class(table):
    listing = list_table(table("path,label\na.png,none\n", "a.png"))
    assert [record.label for record in listing.records] == ["none"]


@pytest.mark.parametrize(
    "labels",
    [
        ("Effusion", "Mass", "Effusion|Mass"),
        ("a", "b", "c", "a;b", "b;c"),
        ('"a, b"', "a", "b", '"b, c"'),
        ("\"['a', 'b']\"", "\"['b']\"", "\"['a', 'c']\""),
        ("cat;dog", "dog;bird", "bird;cat"),
        ("a+b+c", "b+a+d", "d+c+a"),
    ],
)
def test_several_labels_in_a_cell_are_refused(table, labels):
    rows = "".join(f"{i}.png,{label}\n" for i, label in enumerate(labels * 3))
    path = table("path,label\n" + rows)
    with pytest.raises(DataError, match="several labels in one cell"):
        list_table(path)
    list_table(path, options=DataOptions(labels="as written"))


@pytest.mark.parametrize(
    "labels",
    [
        ("Apple|scab", "Apple|healthy", "Corn|rust"),
        ("A|sick", "A|healthy", "B|sick", "B|healthy"),
        ("Smith, John", "Doe, Jane"),
        ("rock & roll", "jazz"),
        ("C+", "C", "C++"),
    ],
)
def test_names_with_a_separator_in_them_are_names(table, labels):
    rows = "".join(f'{i}.png,"{label}"\n' for i, label in enumerate(labels * 3))
    listing = list_table(table("path,label\n" + rows))
    assert {record.label for record in listing.records} == set(labels)


def test_the_first_row_with_several_labels_is_named(table):
    path = table("path,label\na.png,x\nb.png,y\nc.png,x;y\nd.png,y;x\n")
    with pytest.raises(DataError, match=r"'label' of '.*' holds several.*'x;y' in line 4 \(2 rows"):
        list_table(path)


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (("0", "0.3333", "0.6667", "1"), "0.3333 in line 3"),
        (("0.0", "1.0", "0.5"), "0.5 in line 4"),
        (("0.12", "0.87", "0.4", "0.93", "0.05"), "0.12 in line 2"),
    ],
)
def test_probabilities_are_refused_with_the_way_out(table, values, first):
    rows = "".join(f"{i}.png,{value}\n" for i, value in enumerate(values * 8))
    path = table("path,label\n" + rows)
    with pytest.raises(DataError, match=f"holds probabilities, such as {first}") as caught:
        list_table(path)
    assert "--label-column" in caught.value.next_step
    listing = list_table(path, options=DataOptions(labels="as written"))
    assert {record.label for record in listing.records} == set(values)


@pytest.mark.parametrize(
    "cells", [("0.2;0.8", "0.35;0.65"), ('"[0.1, 0.9]"', '"[0.75, 0.25]"'), ("0.5 0.5", "1 0")]
)
def test_lists_of_probabilities_are_refused(table, cells):
    rows = "".join(f"{i}.png,{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(DataError, match=r"probabilities of several classes in one cell.*line 2"):
        list_table(table("path,label\n" + rows))


def test_versions_and_coordinates_are_no_probabilities(table):
    rows = "".join(f'{i}.png,"{label}"\n' for i, label in enumerate(("1 2", "2 1", "1 1") * 2))
    assert len({one.label for one in list_table(table("path,label\n" + rows)).records}) == 3


@pytest.mark.parametrize("labels", [("0.0", "1.0"), ("0.5", "1.0", "2.0"), ("1.0", "1.5")])
def test_numbers_that_are_no_probabilities_are_classes(table, labels):
    rows = "".join(f"{i}.png,{label}\n" for i, label in enumerate(labels * 3))
    listing = list_table(table("path,label\n" + rows))
    assert {record.label for record in listing.records} == set(labels)


@pytest.mark.parametrize("value", ["{:.3f}", "{:.0f}"])
def test_quantities_are_refused(table, value):
    rows = "".join(f"{i}.png,{value.format(17 + i * 1.37)}\n" for i in range(40))
    with pytest.raises(DataError, match="a quantity, not classes"):
        list_table(table("path,label\n" + rows))


def test_numbers_of_classes_are_classes(table):
    rows = "".join(f"{i}.png,{i % 30}\n" for i in range(90))
    assert len({record.label for record in list_table(table("path,label\n" + rows)).records}) == 30


@pytest.mark.parametrize(
    ("column", "words", "splits"),
    [
        ("set", ("Training", "test"), ("train", "test")),
        ("phase", ("train", "val"), ("train", "val")),
        ("is_valid", ("False", "True"), ("train", "val")),
        ("is_test", ("0", "1"), ("train", "test")),
        ("is_train", ("yes", "no"), ("train", "test")),
    ],
)
def test_splits_under_other_names_are_read_and_said(table, column, words, splits):
    rows = f"path,label,{column}\na.png,cat,{words[0]}\nb.png,cat,{words[1]}\n"
    listing = list_table(table(rows, "a.png", "b.png"))
    assert tuple(record.split for record in listing.records) == splits
    assert listing.notes == (f"The column '{column}' was read as the split.",)


def test_a_column_that_is_called_like_a_split_and_is_none_is_a_column(table):
    listing = list_table(table("path,label,set\na.png,cat,7\nb.png,dog,8\n", "a.png", "b.png"))
    assert listing.column_names == ("set",)
    assert [record.split for record in listing.records] == [None, None]


def test_columns_of_several_labels_get_a_hint(table):
    path = table("path,mass,effusion\na.png,1,0\nb.png,1,1\n", "a.png", "b.png")
    with pytest.raises(DataError, match=r"several ones in line 3.*--label-column mass"):
        list_table(path)


def test_columns_of_probabilities_get_a_hint(table):
    path = table("path,cat,dog\na.png,0.9,0.1\nb.png,0.2,0.8\n", "a.png", "b.png")
    with pytest.raises(DataError, match="cat, dog hold probabilities"):
        list_table(path)


def test_one_hot_columns_get_a_hint(table):
    with pytest.raises(DataError, match="cat, dog hold zeros and ones"):
        list_table(table("path,cat,dog\na.png,1,0\nb.png,0,1\n", "a.png", "b.png"))
