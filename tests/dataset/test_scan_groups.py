"""Groups that are taken by their name, and a name that says no more than the label."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import GroupOptions, scan
from foveal.dataset.structure import find_structure


def dicom_files(data, write_dicom, draw, patients):
    for number, patient in enumerate(patients):
        folder = data / ("ill" if number % 2 else "well")
        folder.mkdir(exist_ok=True)
        levels = np.asarray(draw(number, width=40, height=40))
        write_dicom(folder / f"{number}.dcm", levels, PatientID=patient)


@pytest.mark.parametrize(
    ("patients", "what"),
    [(["A"] * 8, "for all images"), (["A", "B"] * 4, "for all images of a class")],
)
def test_a_patient_id_that_says_no_more_than_the_label_is_no_group(
    data, write_dicom, draw, patients, what
):
    dicom_files(data, write_dicom, draw, patients)
    manifest = scan(data)
    assert manifest.group_source is None
    assert {record.group for record in manifest.usable} == {None}
    assert f"is the same {what}, so it is not used as groups." in manifest.notes[-1]


def test_a_class_of_one_patient_is_divided_and_the_others_are_not(data, write_dicom, draw):
    dicom_files(data, write_dicom, draw, ["A", "B", "C", "B", "A", "B", "C", "B"])
    manifest = scan(data)
    assert manifest.group_source == "DICOM PatientID (hashed)"
    groups = {record.label: set() for record in manifest.usable}
    for record in manifest.usable:
        groups[record.label].add(record.group)
    assert groups["ill"] == {None}
    assert len(groups["well"]) == 2
    assert "All images of 'ill' have one and the same DICOM PatientID" in manifest.notes[-1]


def table(put, data, header, row):
    lines = [header]
    for number in range(24):
        put(f"{number}.png", number)
        lines.append(f"{number}.png,{'ab'[number % 2]},{row(number)}")
    (data / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return data / "t.csv"


@pytest.mark.parametrize(
    "name", ["patient_id", "SubjectID", "Slide No", "lesion_id", "case", "video", "batch", "well"]
)
def test_a_column_whose_name_leaves_no_doubt_is_taken_and_said(put, data, name):
    manifest = scan(table(put, data, f"path,label,{name}", lambda n: f"x{n // 4}"))
    assert manifest.group_source == f"column '{name.casefold()}'"
    assert manifest.group_origin == "name"
    assert "--no-groups" in manifest.group_note
    assert len({record.group for record in manifest.usable}) == 6


def test_of_nested_names_the_widest_is_taken_and_the_other_named(put, data):
    manifest = scan(
        table(put, data, "path,label,slide_id,patient", lambda n: f"s{n // 2},p{n // 4}")
    )
    assert manifest.group_source == "column 'patient'"
    assert "column 'slide_id' would be another choice" in manifest.group_note


def test_a_patient_column_that_equals_the_label_is_no_group(put, data):
    manifest = scan(table(put, data, "path,label,patient", lambda n: "PQ"[n % 2]))
    assert manifest.group_source is None


def test_nothing_is_taken_by_name_on_demand(put, data):
    path = table(put, data, "path,label,patient", lambda n: f"p{n // 4}")
    assert scan(path, groups=GroupOptions(search="off")).group_source is None


def test_sessions_by_time_of_acquisition(data):
    for number in range(6):
        exif = Image.Exif()
        exif[0x0132] = f"2024:03:01 10:{number // 3 * 30:02}:{number % 3 * 20:02}"
        (data / "ab"[number % 2]).mkdir(exist_ok=True)
        picture = Image.fromarray(np.full((8, 8), 40 * number, np.uint8))
        picture.save(data / "ab"[number % 2] / f"{number}.jpg", exif=exif)
    manifest = scan(data, groups=GroupOptions(gap_seconds=60))
    by_name = {record.path[2]: record.group for record in manifest.usable}
    assert [by_name[str(n)] for n in range(6)] == ["session 1"] * 3 + ["session 2"] * 3


def test_a_folder_level_called_patients_is_taken(put, data):
    for number in range(24):
        put(f"{'ab'[number // 12]}/patient_{number // 2:02}/{number}.png", number)
    manifest = scan(data)
    assert manifest.group_source == "folder level 2"
    assert manifest.group_origin == "name"


def test_one_number_in_two_spellings_is_one_group(put, data):
    for column in ("patient_id", "group"):
        manifest = scan(
            table(
                put,
                data,
                f"path,label,{column}",
                lambda i: f"{i // 4}.0" if i // 2 % 2 else f"{i // 4}",
            )
        )
        assert len({record.group for record in manifest.usable}) == 6


def test_images_without_the_chosen_patient_are_counted(put, data):
    manifest = scan(
        table(put, data, "path,label,patient_id", lambda i: f"p{i // 4}" if i % 4 else "")
    )
    assert "6 images have none; each counts as a group of its own" in manifest.group_note


@pytest.mark.parametrize(
    "ids",
    [
        ["8f14e45f", "c81e728d", "1679091c", "45c48cce", "d3d94468", "6512bd43"],
        [f"550e8400-e29b-41d4-a716-44665544000{i}" for i in range(6)],
    ],
    ids=["hash", "UUID"],
)
def test_a_hash_in_a_file_name_is_one_part(put, data, ids):
    paths = [f"{'ab'[i % 2]}/{ids[i // 4]}-{i % 4}.png" for i in range(24)]
    for i, path in enumerate(paths):
        put(path, i)
    (first, *_) = find_structure(scan(data)).candidates
    assert first.source == "part 1 of the file names"
    assert set(first.values) == set(ids)
    pattern = first.option.removeprefix("--group-regex ").strip("'")
    assert {re.search(pattern, path)[1] for path in paths} == set(ids)
