"""Given splits are respected; what is unusual about them is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foveal.dataset import ImageRecord, Manifest
from foveal.errors import DataError
from foveal.training import TrainConfig
from foveal.training.protocol import Plan, choose_plan


def manifest_of(rows: Sequence[tuple[str, str | None]], **fields: object) -> Manifest:
    """Rows of (label, split)."""
    records = tuple(
        ImageRecord(f"{index:03}.png", label=label, split=split)  # type: ignore[arg-type]
        for index, (label, split) in enumerate(rows)
    )
    names = tuple(sorted({label for label, _ in rows}))
    return Manifest(Path("/nowhere"), records, names, "table", **fields)  # type: ignore[arg-type]


def plan_of(
    rows: Sequence[tuple[str, str | None]],
    *,
    groups: Sequence[int] | None = None,
    images: Sequence[int] | None = None,
    config: TrainConfig | None = None,
    **fields: object,
) -> Plan:
    alone = range(len(rows)) if groups is None else groups
    return choose_plan(
        manifest_of(rows, **fields),
        np.array(alone, np.int64),
        config or TrainConfig(),
        images=None if images is None else np.array(images, np.int64),
    )


def split(**counts: int) -> list[tuple[str, str | None]]:
    """So many images of each of two classes in each part."""
    return [
        (label, None if part == "none" else part)
        for part, count in counts.items()
        for label in ("a", "b")
        for _ in range(count)
    ]


def parts(plan: Plan) -> dict[int, int]:
    values, counts = np.unique(plan.fold_index, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_without_a_split_there_is_cross_validation() -> None:
    plan = plan_of(split(none=10))
    assert plan.described.kind == "cross-validation"
    assert not plan.is_holdout
    assert parts(plan) == dict.fromkeys(range(5), 4)
    assert "5-fold cross-validation" in plan.described.sentence


def test_test_part_is_judged_and_the_rest_trained_on() -> None:
    plan = plan_of(split(train=5, val=2, test=3))
    assert plan.is_holdout
    assert parts(plan) == {0: 6, -1: 14}
    assert "6 images of the test part" in plan.described.sentence
    assert plan.described.notes == (
        "The validation part was trained on together with the training part.",
    )


def test_validation_part_is_judged_where_there_is_no_test_part() -> None:
    plan = plan_of(split(train=5, val=2))
    assert parts(plan) == {0: 4, -1: 10}
    assert "4 images of the validation part" in plan.described.sentence
    assert plan.described.notes == ()


def test_images_in_no_part_go_unused_and_are_counted() -> None:
    plan = plan_of(split(train=5, test=2, none=1))
    assert parts(plan) == {0: 4, -1: 10, -2: 2}
    assert plan.described.notes == ("2 images in no part of the split went unused.",)


def test_copies_of_training_images_are_not_tested() -> None:
    images = [*range(10), 0, 10, 3, 11]
    plan = plan_of(split(train=5, test=2), groups=images, images=images)
    assert plan.fold_index.tolist() == [-1] * 10 + [-2, 0, -2, 0]
    assert plan.described.num_seen == 2
    assert plan.described.sentence == (
        "Measured on the 2 images of the test part that came with the data and had not been seen "
        "in training; 2 of the 4 had been, as copies, and are not counted."
    )
    assert plan.described.notes == ()


def test_copies_within_a_part_are_kept() -> None:
    plan = plan_of(split(train=2, test=2), images=[0, 0, 1, 2, 3, 3, 4, 5])
    assert plan.fold_index.tolist() == [-1] * 4 + [0] * 4
    assert plan.described.num_seen == 0


def test_a_test_part_of_copies_alone_is_refused() -> None:
    with pytest.raises(DataError, match="Every image of the test part is a copy of a training"):
        plan_of(split(train=2, test=2), images=[0, 1, 2, 3, 0, 1, 2, 3])


def test_group_across_the_given_split_is_told() -> None:
    groups = [*range(10), 0, 0, 1, 99]
    plan = plan_of(split(train=5, test=2), groups=groups)
    assert plan.described.notes[0].startswith("3 tested images shared a group with the training")


def test_share_overrides_the_given_split_and_says_so() -> None:
    plan = plan_of(split(train=5, test=5), config=TrainConfig(test_size=0.2))
    assert parts(plan) == {0: 4, -1: 16}
    assert plan.described.notes == (
        "The split that came with the data was not used: --test-size was given.",
    )
    assert "4 images set aside at random" in plan.described.sentence


def test_groups_are_never_divided_by_a_hold_out() -> None:
    groups = np.repeat(np.arange(10), 4)
    plan = plan_of(split(none=20), groups=groups.tolist(), config=TrainConfig(test_size=0.3))
    for group in range(10):
        assert len(np.unique(plan.fold_index[groups == group])) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ", near duplicates kept together"),
        (
            {"group_source": "column 'patient'"},
            ", groups (column 'patient') and near duplicates kept together",
        ),
        (
            {"group_source": "file order", "groups_are_approximate": True},
            ", approximate groups (file order) and near duplicates kept together",
        ),
    ],
)
def test_sentence_says_what_was_kept_together(fields: dict[str, object], words: str) -> None:
    plan = plan_of(split(none=10), groups=[index // 2 for index in range(20)], **fields)
    assert words in plan.described.sentence


@pytest.mark.parametrize(
    ("fields", "num_alike", "words"),
    [
        ({}, 1, "that had not seen it."),
        ({}, 2, "that had seen neither it nor a near duplicate of it."),
        ({"group_source": "column 'patient'"}, 2, "that had seen neither it nor its group."),
    ],
)
def test_sentence_says_what_the_classifier_had_not_seen(
    fields: dict[str, object], num_alike: int, words: str
) -> None:
    groups = [index // num_alike for index in range(20)]
    plan = plan_of(split(none=10), groups=groups, **fields)
    assert plan.described.sentence.endswith(words)


def test_fewer_folds_than_asked_are_told() -> None:
    plan = plan_of(split(none=3))
    assert plan.described.num_folds == 3
    assert plan.described.notes[0].startswith("3 folds instead of 5")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (split(train=5), "leaves no usable image to test on"),
        (split(test=5), "leaves no usable image to train on"),
        ([("a", "train"), ("a", "train"), ("b", "test")], "training part .* has no image of b"),
    ],
)
def test_split_that_cannot_serve_is_refused(
    rows: list[tuple[str, str | None]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        plan_of(rows)


def test_seed_fixes_the_folds() -> None:
    rows = split(none=30)
    one, two, other = (plan_of(rows, config=TrainConfig(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.fold_index, two.fold_index)
    assert (one.fold_index != other.fold_index).any()


def plan_with_folds(values: Sequence[str], groups: Sequence[int]) -> Plan:
    plain = manifest_of(split(none=10), column_names=("fold",))
    records = tuple(
        replace(record, told=(value,)) for record, value in zip(plain.records, values, strict=True)
    )
    return choose_plan(replace(plain, records=records), np.array(groups, np.int64), TrainConfig())


def test_folds_of_a_column_are_used_and_said() -> None:
    plan = plan_with_folds([f"{index % 4}" for index in range(20)], range(20))
    assert plan.fold_index.tolist() == [index % 4 for index in range(20)]
    assert "4-fold cross-validation" in plan.described.sentence
    assert plan.described.notes == ("The folds are those of the column 'fold'.",)


def test_folds_that_part_a_group_are_not_used_and_that_is_said() -> None:
    plan = plan_with_folds([f"{index % 4}" for index in range(20)], [i // 2 for i in range(20)])
    assert plan.described.num_folds == 5
    assert plan.described.notes == (
        "The column 'fold' was not used as folds: it parts 10 groups or sets of near duplicates.",
    )


@pytest.mark.parametrize(
    ("origin", "kind"),
    [("test", "cross-validation"), ("name", "cross-validation"), ("given", "hold-out")],
)
def test_a_split_that_parts_groups_which_were_found_is_not_used(origin: str, kind: str) -> None:
    groups = [index // 2 % 10 for index in range(40)]
    plan = plan_of(
        split(train=10, test=10), groups=groups, group_source="folder level 3", group_origin=origin
    )
    assert plan.described.kind == kind
    said = "was not used: 20 of 20 tested images share folder level 3" in plan.described.notes[0]
    assert said == (kind == "cross-validation")


def test_a_split_that_parts_no_group_is_used() -> None:
    plan = plan_of(
        split(train=10, test=10), groups=range(40), group_source="x", group_origin="test"
    )
    assert plan.described.kind == "hold-out"
