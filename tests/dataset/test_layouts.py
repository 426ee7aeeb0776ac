from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from foveal.dataset.layouts import list_folder
from foveal.dataset.options import DataOptions
from foveal.errors import DataError


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


@pytest.mark.parametrize(
    ("train", "test", "second"),
    [
        ("train_set", "test_set", "test"),
        ("train", "dev", "val"),
        ("train", "holdout", "test"),
        ("TrainImages", "ValImages", "val"),
        ("training-data", "hold-out", "test"),
    ],
)
def test_splits_are_known_by_other_names(lay, train, test, second):
    listing = list_folder(
        lay(*(f"{s}/{k}/{i}.png" for s in (train, test) for k in "ab" for i in "12"))
    )
    assert listing.layout == "split folders"
    assert set(labels(listing).values()) == {(k, s) for k in "ab" for s in ("train", second)}


def test_folders_of_patients_that_hold_the_same_classes_are_no_classes(lay):
    paths = [f"patient{p:02}/{k}/{i}.png" for p in range(4) for k in ("ill", "well") for i in "12"]
    listing = list_folder(lay(*paths, "patient09/ill/1.png"))
    assert {record.label for record in listing.records} == {"ill", "well"}
    assert "--class-level 1" in listing.notes[0]


@pytest.mark.parametrize("folders", [("8863", "8864"), ("site_a", "site_b"), ("camA", "camB")])
def test_numbered_and_lettered_sources_are_no_classes(lay, folders):
    listing = list_folder(lay(*(f"{f}/{k}/1.png" for f in folders for k in ("ok", "scratch"))))
    assert {record.label for record in listing.records} == {"ok", "scratch"}


def test_numbered_patients_with_numbered_classes_are_no_classes(lay):
    listing = list_folder(lay(*(f"{8000 + p}/{k}/1.png" for p in range(24) for k in "01")))
    assert {record.label for record in listing.records} == {"0", "1"}


def test_patients_that_are_in_every_class_leave_the_classes_as_they_are(lay):
    paths = [f"{k}/P{p:02}/{i}.png" for p in range(4) for k in ("ill", "well") for i in "12"]
    listing = list_folder(lay(*paths))
    assert {record.label for record in listing.records} == {"ill", "well"}


def test_splits_below_the_classes_are_splits(lay):
    listing = list_folder(
        lay(*(f"{k}/{s}/1.png" for k in ("cat", "dog") for s in ("train", "test")))
    )
    assert set(labels(listing).values()) == {
        (k, s) for k in ("cat", "dog") for s in ("train", "test")
    }


def test_patients_below_splits_are_no_classes(lay):
    paths = [f"{s}/P{p}{s}/{k}/1.png" for s in ("train", "test") for p in range(3) for k in "ab"]
    listing = list_folder(lay(*paths))
    assert set(labels(listing).values()) == {(k, s) for k in "ab" for s in ("train", "test")}


@pytest.mark.parametrize(
    "folders", [("train", "extra"), ("north", "south"), ("left", "right", "top")]
)
def test_the_same_subfolders_in_folders_without_a_telling_name_are_refused(lay, folders):
    data = lay(*(f"{f}/{k}/{i}.png" for f in folders for k in ("ok", "scratch") for i in "12"))
    with pytest.raises(DataError, match="hold the same subfolders") as caught:
        list_folder(data)
    assert "--class-level 2" in str(caught.value)
    listing = list_folder(data, DataOptions(class_level=2))
    assert {record.label for record in listing.records} == {"ok", "scratch"}
    listing = list_folder(data, DataOptions(class_level=1))
    assert {record.label for record in listing.records} == set(folders)


@pytest.mark.parametrize("names", [("images", "masks"), ("JPEGImages", "SegmentationClass")])
@pytest.mark.parametrize("inside", ["", "a/"])
def test_images_and_masks_are_refused(lay, names, inside):
    data = lay(*(f"{name}/{inside}{i}.png" for name in names for i in "123"))
    with pytest.raises(DataError, match="masks of them, not two classes"):
        list_folder(data)


@pytest.mark.parametrize("test", ["test/9.png", "test/unknown/9.png", "test/images/9.png"])
def test_a_test_folder_without_labels_leaves_training_without_a_split(lay, test):
    listing = list_folder(lay("train/a/1.png", "train/b/2.png", test))
    assert labels(listing) == {
        "train/a/1.png": ("a", None),
        "train/b/2.png": ("b", None),
        test: (None, None),
    }
    assert "have no labels, so nothing can be tested on them" in listing.notes[-1]


def test_train_and_test_without_class_folders_are_no_classes(lay):
    assert list_folder(lay("train/1.png", "test/2.png")).layout == "unlabelled"


def test_one_label_in_two_compositions_is_one_class(lay):
    listing = list_folder(lay("Scha\u0308den/1.png", "Sch\u00e4den/2.png", "gut/1.png"))
    assert {record.label for record in listing.records} == {"Sch\u00e4den", "gut"}


def test_links_out_of_the_folder_are_followed_on_demand(lay, tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/1.png").write_bytes(b"x")
    data = lay("b/2.png")
    (data / "a").symlink_to(tmp_path / "pool")
    (data / "b/3.png").symlink_to(tmp_path / "pool/1.png")
    refused = {r.path: r.problem for r in list_folder(data).records if r.problem}
    assert "--follow-links reads it all the same" in refused["b/3.png"].message
    listing = list_folder(data, DataOptions(links="follow"))
    assert labels(listing) == {
        "a/1.png": ("a", None),
        "b/2.png": ("b", None),
        "b/3.png": ("b", None),
    }


def test_the_same_subfolders_in_two_compositions_are_the_same(lay):
    composed, apart = (
        unicodedata.normalize("NFC", "Schäden"),
        unicodedata.normalize("NFD", "Schäden"),
    )
    data = lay(
        *(f"{top}/{name}/1.png" for top, name in (("nfc", composed), ("nfd", apart))),
        *(f"{top}/rest/1.png" for top in ("nfc", "nfd")),
    )
    with pytest.raises(DataError, match="hold the same subfolders"):
        list_folder(data)
