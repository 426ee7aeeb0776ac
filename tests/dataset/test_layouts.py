from __future__ import annotations

from pathlib import Path

import pytest

from foveal.dataset.layouts import list_folder


@pytest.fixture
def lay(data):
    def make(*paths: str) -> Path:
        for path in paths:
            target = data / path
            if path.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b"x")
        return data

    return make


def labels(listing):
    return {record.path: (record.label, record.split) for record in listing.records}


def test_folders_are_classes(lay):
    listing = list_folder(lay("cat/1.png", "dog/2.png"))
    assert listing.layout == "class folders"
    assert labels(listing) == {"cat/1.png": ("cat", None), "dog/2.png": ("dog", None)}


def test_nested_folders_belong_to_their_class(lay):
    listing = list_folder(lay("cat/day1/morning/1.png", "dog/2.png"))
    assert labels(listing)["cat/day1/morning/1.png"] == ("cat", None)


def test_records_are_in_natural_order(lay):
    listing = list_folder(lay("a/10.png", "a/9.png", "b/1.png"))
    assert [record.path for record in listing.records] == ["a/9.png", "a/10.png", "b/1.png"]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "TEST"),
        ("training", "validation", "testing"),
    ],
)
def test_split_folders_hold_class_folders(lay, train, val, test):
    listing = list_folder(lay(f"{train}/a/1.png", f"{val}/a/2.png", f"{test}/b/x/3.png"))
    assert listing.layout == "split folders"
    assert set(labels(listing).values()) == {("a", "train"), ("a", "val"), ("b", "test")}


def test_a_single_split_folder_is_enough(lay):
    listing = list_folder(lay("test/a/1.png", "test/b/2.png"))
    assert set(labels(listing).values()) == {("a", "test"), ("b", "test")}


def test_train_can_be_a_class(lay):
    listing = list_folder(lay("train/1.png", "bus/2.png", "car/3.png"))
    assert listing.layout == "class folders"
    assert labels(listing)["train/1.png"] == ("train", None)


def test_train_with_nested_folders_can_still_be_a_class_among_others(lay):
    listing = list_folder(lay("train/day1/1.png", "bus/day1/2.png"))
    assert labels(listing)["train/day1/1.png"] == ("train", None)


def test_what_lies_next_to_the_splits_has_no_label(lay):
    listing = list_folder(lay("train/a/1.png", "val/a/2.png", "extra/b/3.png", "val/4.png"))
    problem = {r.path: r.problem and r.problem.message for r in listing.records}
    assert problem["extra/b/3.png"] == (
        "it lies outside the folders for training, validation and test"
    )
    assert problem["val/4.png"] == "it lies in no class folder, so it has no label"


def test_loose_images_are_named_and_loose_texts_noted(lay):
    listing = list_folder(lay("a/1.png", "b/2.png", "loose.JPG", "README.md", "groups.csv"))
    problem = {r.path: r.problem and r.problem.code for r in listing.records}
    assert problem == {"a/1.png": None, "b/2.png": None, "loose.JPG": "missing_label"}
    assert listing.notes == (
        "1 file outside the class folders that cannot be an image was passed over: README.md.",
    )


def test_a_text_in_a_class_folder_is_a_record_to_be_judged_by_its_content(lay):
    listing = list_folder(lay("a/1.png", "a/notes.txt"))
    assert "a/notes.txt" in labels(listing)


def test_empty_class_folders_are_noted(lay):
    listing = list_folder(lay("a/1.png", "b/2.png", "c/", "d/e/"))
    assert listing.notes == ("2 folders hold no files: c, d.",)


def test_images_without_folders_are_unlabelled(lay):
    listing = list_folder(lay("1.png", "2.png", "empty/"))
    assert listing.layout == "unlabelled"
    assert labels(listing) == {"1.png": (None, None), "2.png": (None, None)}


def test_a_single_folder_with_folders_is_suspected_to_be_a_wrapper(lay):
    listing = list_folder(lay("dataset/cat/1.png", "dataset/dog/2.png"))
    assert "If those are the classes, give 'dataset'" in listing.notes[0]
    assert "(cat, dog)" in listing.notes[0]


def test_labels_can_be_stored_as_text_whatever_the_folder_is_called(lay):
    listing = list_folder(lay("caf\udce9\n/1.png", "<script>/2.png", "🙂/3.png"))
    found = {record.label for record in listing.records}
    assert found == {r"caf\xe9\n", "<script>", "🙂"}
    for label in found:
        label.encode("utf-8")


def test_folders_that_differ_in_case_are_two_classes(lay):
    listing = list_folder(lay("Cat/1.png", "cat/1.png"))
    assert labels(listing) == {"Cat/1.png": ("Cat", None), "cat/1.png": ("cat", None)}


def test_an_empty_folder_has_no_records(lay):
    listing = list_folder(lay())
    assert listing.records == ()
    assert listing.layout == "unlabelled"
