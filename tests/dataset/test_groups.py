from __future__ import annotations

import pytest

from foveal.dataset import GroupOptions, ImageRecord
from foveal.dataset.groups import check_group_options, group_by_patient, group_listing
from foveal.dataset.manifest import Listing
from foveal.errors import DataError, UsageError

PATHS = ("a/p1_1.png", "a/p1_2.png", "b/p2_1.png", "b/x.png")


@pytest.fixture
def listing(data):
    return Listing(data, tuple(ImageRecord(path, label="a") for path in PATHS), "class folders")


def groups(grouped):
    return [record.group for record in grouped.records]


def test_without_a_source_there_are_no_groups(listing):
    grouped = group_listing(listing, GroupOptions())
    assert groups(grouped) == [None] * 4
    assert grouped.source is None


def test_the_bracketed_part_of_the_expression_is_the_group(listing):
    grouped = group_listing(listing, GroupOptions(regex=r"p(\d+)_"))
    assert groups(grouped) == ["1", "1", "2", None]
    assert grouped.source == r"--group-regex p(\d+)_"
    assert grouped.notes == (
        "1 image whose path the expression does not match stands alone, as a group of one: "
        "b/x.png.",
    )


def test_the_whole_match_is_the_group_without_brackets(listing):
    assert groups(group_listing(listing, GroupOptions(regex=r"p\d"))) == ["p1", "p1", "p2", None]


def test_a_bracket_that_takes_no_part_is_no_match(listing):
    grouped = group_listing(listing, GroupOptions(regex=r"/(p\d)?"))
    assert groups(grouped) == ["p1", "p1", "p2", None]


def test_an_expression_that_cannot_be_compiled_is_shown(listing):
    with pytest.raises(UsageError, match=r"'p\(\\d' is not a regular expression: .*character 2"):
        group_listing(listing, GroupOptions(regex=r"p(\d"))


def test_two_sources_are_wrong_usage():
    with pytest.raises(UsageError, match="not from a column and an expression"):
        check_group_options(GroupOptions(column="patient", regex="p"))


def test_a_column_of_a_folder_is_wrong_usage(listing):
    with pytest.raises(UsageError, match=r"no column 'patient' .* a folder, not a table"):
        group_listing(listing, GroupOptions(column="patient"))


def test_groups_csv_in_the_data_folder_is_taken(listing, data):
    (data / "groups.csv").write_text("path,group\na/p1_1.png,x\na/p1_2.png,x\nb/p2_1.png,y\n")
    grouped = group_listing(listing, GroupOptions())
    assert groups(grouped) == ["x", "x", "y", None]
    assert grouped.source == "groups.csv"
    assert not grouped.are_approximate
    assert "1 image that groups.csv does not list stands alone" in grouped.notes[0]


def test_an_approximate_column_says_so(listing, data):
    (data / "groups.csv").write_text("path,approximate_group\na/p1_1.png,x\n")
    assert group_listing(listing, GroupOptions()).are_approximate


def test_another_table_can_be_named(listing, tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("path;group\n./a/p1_1.png;x\nb\\x.png;y\ngone.png;z\n")
    grouped = group_listing(listing, GroupOptions(table=table, approximate=True))
    assert groups(grouped) == ["x", None, None, "y"]
    assert grouped.are_approximate
    assert grouped.notes[1] == "patients.csv lists 1 path that the data do not hold: gone.png."


def test_a_table_that_contradicts_itself_is_refused_with_its_lines(listing, data):
    (data / "groups.csv").write_text("path,group\na/p1_1.png,x\na/p1_1.png,y\n")
    with pytest.raises(DataError, match="group 'x' in line 2 and into 'y' in line 3"):
        group_listing(listing, GroupOptions())


def test_a_table_without_groups_is_refused(listing, data):
    (data / "groups.csv").write_text("path,colour\na/p1_1.png,x\n")
    with pytest.raises(DataError, match=r"'groups.csv' has no column 'group'"):
        group_listing(listing, GroupOptions())


def test_an_expression_goes_before_groups_csv_and_says_so(listing, data):
    (data / "groups.csv").write_text("path,group\na/p1_1.png,x\n")
    grouped = group_listing(listing, GroupOptions(regex="p."))
    assert groups(grouped)[0] == "p1"
    assert grouped.notes[-1] == "groups.csv was not used, because an expression was given."


def test_a_column_of_the_table_is_kept(data):
    records = (ImageRecord("a.png", label="a", group="g"), ImageRecord("b.png", label="a"))
    listing = Listing(data, records, "table", group_column="group")
    grouped = group_listing(listing, GroupOptions())
    assert grouped.source == "column 'group'"
    assert "1 image whose group is empty stands alone" in grouped.notes[0]


def test_patients_become_groups_where_there_are_any(listing):
    grouped = group_by_patient(listing.records, ["k1", "k1", None, "k2"])
    assert groups(grouped) == ["patient 1", "patient 1", None, "patient 2"]
    assert grouped.source == "DICOM PatientID (hashed)"
    assert "1 image without a PatientID stands alone" in grouped.notes[0]


def test_no_patients_mean_no_groups(listing):
    assert group_by_patient(listing.records, [None] * 4).source is None


def test_group_names_can_be_stored_as_text(listing, data):
    records = (ImageRecord("caf\udce9_1.png", label="a"),)
    grouped = group_listing(Listing(data, records, "class folders"), GroupOptions(regex=r"(\w+.)_"))
    assert groups(grouped) == [r"caf\xe9"]
