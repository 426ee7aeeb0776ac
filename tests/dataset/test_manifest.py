from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from foveal.dataset import ImageRecord, Manifest, Problem
from foveal.dataset.manifest import natural_key, sorted_class_names

RECORDS = (
    ImageRecord("a/1.png", label="a", digest="11"),
    ImageRecord("b/2.png", label="b", digest="22", group="g", split="train"),
    ImageRecord("b/3.png", label="b", problem=Problem("truncated", "it ends too early")),
    ImageRecord("4.png"),
)
MANIFEST = Manifest(Path("/data"), RECORDS, ("a", "b"), "class folders")


def test_usable_means_no_problem_and_a_label():
    assert [record.path for record in MANIFEST.usable] == ["a/1.png", "b/2.png"]


def test_bad_means_a_problem():
    assert [record.path for record in MANIFEST.bad] == ["b/3.png"]


def test_labels_index_the_class_names():
    assert MANIFEST.labels.dtype == np.int64
    assert MANIFEST.labels.tolist() == [0, 1]


def test_splits_are_known_to_be_there():
    assert MANIFEST.has_splits
    assert not Manifest(Path("/data"), RECORDS[:1], ("a",), "class folders").has_splits


def test_a_record_resolves_below_the_root():
    assert MANIFEST.resolve(RECORDS[0]) == Path("/data/a/1.png")


def test_the_digest_depends_on_neither_place_nor_order():
    moved = Manifest(Path("/elsewhere"), RECORDS[::-1], ("a", "b"), "class folders")
    assert moved.digest == MANIFEST.digest


@pytest.mark.parametrize(
    "change",
    [
        {"path": "a/9.png"},
        {"digest": "99"},
        {"label": "b"},
        {"group": "g"},
        {"split": "test"},
        {"problem": Problem("corrupt", "it is damaged")},
    ],
)
def test_the_digest_depends_on(change):
    records = (dataclasses.replace(RECORDS[0], **change), *RECORDS[1:])
    assert dataclasses.replace(MANIFEST, records=records).digest != MANIFEST.digest


def test_fields_cannot_run_together_into_the_same_digest():
    one = Manifest(Path("/"), (ImageRecord("a", label="b=c"),), ("b=c",), "table")
    two = Manifest(Path("/"), (ImageRecord("a=b", label="c"),), ("c",), "table")
    assert one.digest != two.digest


def test_a_path_that_is_no_utf_8_has_a_digest():
    record = ImageRecord("caf\udce9.png", label="a")
    assert len(Manifest(Path("/"), (record,), ("a",), "table").digest) == 64


def test_numbers_in_names_are_ordered_by_size():
    names = ["cell10", "cell2", "Cell1", "b", "cell02", "a"]
    assert sorted(names, key=natural_key) == ["a", "b", "Cell1", "cell02", "cell2", "cell10"]


def test_very_long_numbers_are_ordered_too():
    assert sorted(["9" * 6000, "1" + "0" * 6000], key=natural_key)[0] == "9" * 6000


def test_class_names_come_from_records_without_a_problem():
    lost = ImageRecord("c/1.png", label="c", problem=Problem("corrupt", "it is damaged"))
    assert sorted_class_names([*RECORDS, lost]) == ("a", "b")
