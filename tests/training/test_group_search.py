"""Structure that flatters is found under any name and kept together; honest data stay as is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.dataset import Duplicates, ImageRecord, Manifest
from foveal.training import TrainConfig
from foveal.training.group_search import GroupSearch, search_groups

Floats = NDArray[np.float32]

PATIENTS, SHOTS = 24, 10
LABELS = np.repeat(np.arange(PATIENTS) % 2, SHOTS)
PATIENT = np.repeat(np.arange(PATIENTS), SHOTS)
SHOT = np.tile(np.arange(SHOTS), PATIENTS)


def make(paths: list[str], labels: NDArray[np.int64], **columns: list[str]) -> Manifest:
    names = ("benign", "malignant", "other")[: labels.max() + 1]
    records = tuple(
        ImageRecord(
            path, names[label], digest=str(row), told=tuple(told[row] for told in columns.values())
        )
        for row, (path, label) in enumerate(zip(paths, labels, strict=True))
    )
    where = Path("/nowhere")
    return Manifest(where, records, names, "class folders", column_names=tuple(columns))


def search(manifest: Manifest, features: Floats) -> GroupSearch:
    nothing = Duplicates(exact=(), near=(), conflicting=())
    return search_groups(manifest, features, nothing, TrainConfig())


def of_sources(source: NDArray[np.int64], *, seed: int = 0, strength: float = 3.0) -> Floats:
    """Features that say where an image comes from and nothing about its class."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(source.max() + 1, 64)) * strength
    return (own[source] + random.normal(size=(len(source), 64))).astype(np.float32)


NAMES: dict[str, Callable[[int, int, int], str]] = {
    "folders": lambda k, p, t: f"class{k}/P{p:03}/{t}.png",
    "deeper folders": lambda k, p, t: f"class{k}/batch/{1000 + 37 * p}/left/{t}.png",
    "names": lambda k, p, t: f"class{k}/P{p:03}_tile{t:02}.png",
    "numbers": lambda k, p, t: f"class{k}/scan_{p:04}_{t}.png",
    "no separator": lambda k, p, t: f"class{k}/s{p}slice{t:03}.png",
    "dashes": lambda k, p, t: f"class{k}/s{p}-slice-{t:03}.png",
    "dates": lambda k, p, t: f"class{k}/2024-03-{p + 1:02}_cam{t % 2}_{p * 10 + t:04}.jpg",
    "at the end": lambda k, p, t: f"class{k}/{t:02}_{'left' if t % 2 else 'right'}_{p:03}.png",
    "everything in one folder": lambda k, p, t: f"{'abcdefghij'[p % 10]}{p} ({t}).png",
}


@pytest.mark.parametrize("name", NAMES)
def test_patients_in_paths_are_found_and_the_option_says_the_same(name: str) -> None:
    paths = [NAMES[name](*row) for row in zip(LABELS, PATIENT, SHOT, strict=True)]
    found = search(make(paths, LABELS), of_sources(PATIENT))
    groups = [record.group for record in found.manifest.usable]
    assert len(set(zip(groups, PATIENT, strict=True))) == PATIENTS == len(set(groups))
    (used,) = [one for one in found.tested if one.is_used]
    assert used.mixed_accuracy > 0.9
    assert used.apart_accuracy < 0.75
    expression = re.search(r"--group-regex '?([^']+)'?", used.option)
    assert expression is not None
    again = [m and m.group(1) for m in (re.search(expression.group(1), path) for path in paths)]
    assert again == groups


@pytest.mark.parametrize("column", ["patient_id", "who", "Zeile", "x7", "device"])
def test_a_column_under_any_name_is_found(column: str) -> None:
    paths = [f"{row}.png" for row in range(len(LABELS))]
    manifest = make(paths, LABELS, **{column: [f"v{p * 7919 % 1000}" for p in PATIENT]})
    found = search(manifest, of_sources(PATIENT))
    assert found.manifest.group_source == f"column '{column}'"
    assert found.manifest.group_origin == "test"
    assert f"--group-column {column}" in found.manifest.group_note


def test_of_nested_groups_the_widest_that_flatters_is_kept_and_both_are_named() -> None:
    slides = PATIENT * 3 + SHOT % 3
    paths = [f"{row}.png" for row in range(len(LABELS))]
    manifest = make(paths, LABELS, a=[f"s{s}" for s in slides], b=[f"p{p}" for p in PATIENT])
    random = np.random.default_rng(1)
    features = of_sources(PATIENT) + of_sources(slides, seed=2)
    found = search(manifest, features + random.normal(size=features.shape).astype(np.float32))
    assert found.manifest.group_source == "column 'b'"
    assert "column 'a'" in found.manifest.group_note


def test_crossed_columns_are_both_measured_and_the_other_is_named() -> None:
    paths = [f"{row}.png" for row in range(len(LABELS))]
    manifest = make(paths, LABELS, src=[f"p{p}" for p in PATIENT], slot=[f"t{t}" for t in SHOT])
    found = search(manifest, of_sources(PATIENT))
    assert found.manifest.group_source == "column 'src'"
    (finding,) = [one for one in found.findings if one.code == "D025"]
    assert "column 'slot': images that share it look no more alike than others" in finding.detail


def test_columns_that_cannot_be_groups_are_named_with_why() -> None:
    size = len(LABELS)
    manifest = make(
        [f"{row}.png" for row in range(size)],
        LABELS,
        dx=["ny"[k] for k in LABELS],
        stain=["HE"] * size,
        uid=[f"u{row}" for row in range(size)],
        eye=["left" if t % 2 else "right" for t in SHOT],
        remark=[""] * size,
    )
    found = search(manifest, of_sources(np.arange(size)))
    (finding,) = [one for one in found.findings if one.code == "D025"]
    assert "column 'dx': it says the same as the label" in finding.detail
    assert "column 'stain': it says 'HE' for every image" in finding.detail
    assert "column 'uid': it is different for every image" in finding.detail
    assert "column 'eye': it has only 2 different values" in finding.detail
    assert "column 'remark': it is empty" in finding.detail
    assert found.manifest.group_source is None


def test_given_groups_are_kept_and_what_flatters_beyond_them_is_a_warning() -> None:
    paths = [f"{row}.png" for row in range(len(LABELS))]
    manifest = make(paths, LABELS, patient=[f"p{p}" for p in PATIENT])
    records = tuple(
        replace(record, group=f"pair{row // 2}") for row, record in enumerate(manifest.records)
    )
    given = Manifest(
        manifest.root,
        records,
        manifest.class_names,
        "table",
        group_source="column 'group'",
        group_origin="given",
        column_names=manifest.column_names,
    )
    found = search(given, of_sources(PATIENT))
    assert found.manifest is given
    (warning,) = [one for one in found.findings if one.severity == "warning"]
    assert "--group-column patient" in warning.fix
    assert "Mixing them flatters by" in warning.detail


def test_what_an_image_shows_is_measured_and_left_alone() -> None:
    kinds = LABELS * 6 + np.arange(len(LABELS)) % 6  # six breeds of each animal
    manifest = make(
        [f"{row}.png" for row in range(len(kinds))], LABELS, breed=list(map(str, kinds))
    )
    found = search(manifest, of_sources(kinds))
    assert found.manifest.group_source is None
    assert any("breed" in one.title and one.severity == "warning" for one in found.findings)


@pytest.mark.parametrize("seed", range(20))
def test_honest_data_are_neither_changed_nor_warned_about(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 150)
    features = random.normal(size=(150, 64)).astype(np.float32)
    features[:, :4] += labels[:, None]
    paths = [
        f"class{k}/set{row % 9}_{row // 9:03}_{'ab'[row % 2]}.png" for row, k in enumerate(labels)
    ]
    columns = {
        "age": [str(age) for age in random.integers(20, 80, 150)],
        "scanner": [f"scanner {number}" for number in random.integers(0, 4, 150)],
        "shelf": [f"{number}" for number in random.integers(0, 30, 150)],
    }
    found = search(make(paths, labels, **columns), features)
    assert found.manifest.group_source is None
    assert [one for one in found.findings if one.severity == "warning"] == []


def test_times_of_acquisition_are_found() -> None:
    manifest = make([f"{row}.jpg" for row in range(len(LABELS))], LABELS)
    seconds = PATIENT * 5400.0 + SHOT * 4.0
    records = tuple(
        replace(record, acquired_seconds=float(at))
        for record, at in zip(manifest.records, seconds, strict=True)
    )
    found = search(replace(manifest, records=records), of_sources(PATIENT))
    (used,) = [one for one in found.tested if one.is_used]
    assert used.option == "--group-gap 60"
    assert used.num_groups == PATIENTS
    assert found.manifest.group_source == "acquisition times less than a minute apart"
