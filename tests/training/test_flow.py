"""From files to judged images: every one is counted once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foveal.dataset import ImageRecord, Manifest
from foveal.dataset.manifest import Problem
from foveal.dataset.traits import Trait
from foveal.training.flow import follow_files


@pytest.fixture
def manifest() -> Manifest:
    """Six usable images of two classes, and four files that are not."""
    usable = [
        ImageRecord(f"{k}.png", label="ab"[k % 2], height_px=10 + k, width_px=20) for k in range(6)
    ]
    bad = [
        ImageRecord("x.png", problem=Problem("truncated", "it ends early")),
        ImageRecord("y.png", problem=Problem("truncated", "it ends early")),
        ImageRecord("z.png", problem=Problem("missing_label", "no label")),
    ]
    records = (*usable, *bad, ImageRecord("w.png"))
    return Manifest(Path("/nowhere"), records, ("a", "b"), "table")


def test_folds_hold_what_they_hold(manifest: Manifest) -> None:
    found = follow_files(
        manifest,
        np.array([0, 0, 1, 2, 3, 4]),
        judged_rows=np.arange(6),
        fold_index=np.array([0, 0, 0, 1, 1, 1]),
        fitted_rows=np.arange(6),
    )
    assert (found.num_files, found.num_usable, found.num_groups) == (10, 6, 5)
    assert found.set_aside == (("truncated", 2), ("missing label", 1), ("no label", 1))
    assert (found.num_judged, found.num_only_trained, found.num_unused) == (6, 0, 0)
    first, second = found.parts
    assert (first.name, first.num_images, first.num_groups) == ("Fold 1", 3, 2)
    assert first.class_counts == (2, 1)
    assert (first.median_height_px, first.median_width_px) == (11.0, 20.0)
    assert second.class_counts == (1, 2)


def test_a_split_says_what_was_tested_trained_on_and_left_out(manifest: Manifest) -> None:
    found = follow_files(
        manifest,
        np.arange(6),
        judged_rows=np.array([0, 1]),
        fold_index=np.zeros(2, np.int64),
        fitted_rows=np.array([2, 3, 4]),
    )
    assert (found.num_judged, found.num_only_trained, found.num_unused) == (2, 3, 1)
    assert [part.name for part in found.parts] == ["Tested", "Only trained on"]
    assert sum(part.num_images for part in found.parts) + found.num_unused == found.num_usable


def test_columns_that_were_named_are_counted_in_every_part(manifest: Manifest) -> None:
    found = follow_files(
        manifest,
        np.arange(6),
        judged_rows=np.array([1, 0, 3, 2]),
        fold_index=np.array([0, 0, 1, 1]),
        fitted_rows=np.arange(6),
        traits=[
            Trait("sex", "column", ("f", "m", "f", "f", "m", "not given")),
            Trait("brightness", "file", ("dark",) * 3 + ("light",) * 3),
        ],
    )
    assert [[one.name for one in part.characteristics] for part in found.parts] == [["sex"]] * 3
    # The same values in the same order in each part, what is missing last.
    assert [part.characteristics[0].counts for part in found.parts] == [
        (("f", 1), ("m", 1), ("not given", 0)),
        (("f", 2), ("m", 0), ("not given", 0)),
        (("f", 0), ("m", 1), ("not given", 1)),
    ]
