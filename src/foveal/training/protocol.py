"""Who is judged by whom: cross-validation, or a part held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import FoldPlan, Manifest, assign_folds, assign_holdout
from foveal.dataset.structure import FOLD_COLUMNS
from foveal.errors import DataError
from foveal.evaluation import Protocol
from foveal.text import count_noun, printable
from foveal.training.config import TrainConfig

_MAX_GIVEN_FOLDS = 20
_TORN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """Which images are judged, and in which fold.

    Attributes:
        described: For the evidence.
        fold_index: [N] over the usable images. Cross-validation: the fold that tests each.
            Hold-out: 0 for the images tested, -1 for those trained on, -2 for those that a
            given split leaves out.
    """

    described: Protocol
    fold_index: NDArray[np.int64]

    @property
    def is_holdout(self) -> bool:
        """Whether some images are only trained on."""
        return self.described.kind == "hold-out"


def choose_plan(
    manifest: Manifest,
    groups: NDArray[np.int64],
    config: TrainConfig,
    *,
    images: NDArray[np.int64] | None = None,
) -> Plan:
    """Returns the plan, with a note where groups were taken that nobody gave; see ``_choose``."""
    plan = _choose(manifest, groups, config, images)
    if not manifest.group_note:
        return plan
    described = replace(plan.described, notes=(manifest.group_note, *plan.described.notes))
    return replace(plan, described=described)


def _choose(
    manifest: Manifest,
    groups: NDArray[np.int64],
    config: TrainConfig,
    images: NDArray[np.int64] | None,
) -> Plan:
    """Returns the plan: splits that came with the data are respected, else what was asked for.

    Args:
        manifest: The data.
        groups: [N], duplicates fused.
        config: ``test_size``, ``num_folds`` and ``seed``.
        images: [N], copies of one another share a number; no copies by default.

    Raises:
        DataError: The classes or groups cannot be divided so.
    """
    torn = _note_torn_split(manifest, groups)
    if config.test_size is None and manifest.has_splits and not torn:
        return _given_split(
            manifest, groups, config, np.arange(len(groups)) if images is None else images
        )
    kept_together = _describe_groups(manifest, groups)
    given, why_not = given_folds(manifest, groups)
    if config.test_size is not None:
        is_test = assign_holdout(
            manifest.labels,
            groups,
            test_size=config.test_size,
            seed=config.seed,
            class_names=manifest.class_names,
        )
        notes = (
            ("The split that came with the data was not used: --test-size was given.",)
            if manifest.has_splits
            else ()
        )
        sentence = (
            f"Measured on {count_noun(int(is_test.sum()), 'image')} set aside at random, with "
            f"classes in proportion{kept_together}, and never used for training."
        )
        return _holdout(np.where(is_test, 0, -1), sentence, config.seed, notes)
    plan = given or assign_folds(
        manifest.labels,
        groups,
        num_folds=config.num_folds,
        seed=config.seed,
        class_names=manifest.class_names,
    )
    sentence = (
        f"{plan.num_folds}-fold cross-validation{kept_together}: every image was judged once, "
        f"by a classifier that had {_describe_unseen(manifest, groups)}."
    )
    described = Protocol(
        "cross-validation", plan.num_folds, config.seed, sentence, (*torn, *plan.notes, *why_not)
    )
    return Plan(described, plan.fold_index)


def _note_torn_split(manifest: Manifest, groups: NDArray[np.int64]) -> tuple[str, ...]:
    """Returns a note where a given split parts groups that the program found, else nothing.

    A figure on images whose patients were trained on is what groups are there to avoid; few of
    them are counted in a note instead. Groups that the reader gave beside a split are left.
    """
    if manifest.group_origin not in ("name", "test") or not manifest.has_splits:
        return ()
    splits = np.array([record.split or "" for record in manifest.usable])
    is_train = splits == "train"
    is_tested = splits == ("test" if (splits == "test").any() else "val")
    num_torn = int(np.isin(groups[is_tested], groups[is_train]).sum())
    if num_torn < _TORN_SHARE * is_tested.sum() or not num_torn:
        return ()
    return (
        f"The split that came with the data was not used: {num_torn:,} of "
        f"{count_noun(int(is_tested.sum()), 'tested image')} share {manifest.group_source} with "
        "training images. All images were cross-validated by group instead. To measure on the "
        "split as it came: --no-groups.",
    )


def given_folds(
    manifest: Manifest, groups: NDArray[np.int64]
) -> tuple[FoldPlan | None, tuple[str, ...]]:
    """Returns the folds of a column that is called so, and a note where they were not used.

    Args:
        manifest: The data.
        groups: [N], duplicates fused; folds that part a group are not used.
    """
    position = next((i for i, n in enumerate(manifest.column_names) if n in FOLD_COLUMNS), None)
    if position is None:
        return None, ()
    name = f"column '{printable(manifest.column_names[position])}'"
    values = [record.told[position] for record in manifest.usable]
    numbers, index = np.unique(values, return_inverse=True)
    fold_index = index.reshape(-1).astype(np.int64)
    pairs = np.unique(np.stack([groups, fold_index]), axis=1)
    num_torn = int((np.bincount(np.unique(pairs[0], return_inverse=True)[1]) > 1).sum())
    held = np.zeros((len(numbers), len(manifest.class_names)), dtype=np.int64)
    np.add.at(held, (fold_index, manifest.labels), 1)
    if "" in values:
        reason = "it is empty for some images"
    elif not 2 <= len(numbers) <= _MAX_GIVEN_FOLDS:
        reason = f"it has {len(numbers):,} different values"
    elif num_torn:
        noun = "group or set" if num_torn == 1 else "groups or sets"
        reason = f"it parts {num_torn:,} {noun} of near duplicates"
    elif ((held > 0).sum(axis=0) < 2).any():
        reason = "a class lies in one fold alone"
    else:
        note = f"The folds are those of the {name}."
        return FoldPlan(fold_index, len(numbers), (note,)), ()
    return None, (f"The {name} was not used as folds: {reason}.",)


def _given_split(
    manifest: Manifest,
    groups: NDArray[np.int64],
    config: TrainConfig,
    images: NDArray[np.int64],
) -> Plan:
    splits = np.array([record.split or "" for record in manifest.usable])
    tested = "test" if (splits == "test").any() else "val"
    is_test = splits == tested
    is_train = (splits == "train") | ((splits == "val") & ~is_test)
    if not is_test.any() or not is_train.any():
        missing = "to test on" if not is_test.any() else "to train on"
        raise DataError(
            f"The data come with a split, but it leaves no usable image {missing}.",
            next_step="Put images into train and test (or val), or give --test-size 0.2.",
        )
    absent = set(range(len(manifest.class_names))) - set(manifest.labels[is_train].tolist())
    if absent:
        names = ", ".join(manifest.class_names[index] for index in sorted(absent))
        raise DataError(
            f"The training part of the split has no image of {names}.",
            next_step="Add some to the training part, or take the class out of the test part.",
        )
    notes = []
    if tested == "test" and (splits == "val").any() and (splits == "train").any():
        notes.append("The validation part was trained on together with the training part.")
    if unassigned := int((splits == "").sum()):
        notes.append(f"{count_noun(unassigned, 'image')} in no part of the split went unused.")
    part = "test" if tested == "test" else "validation"
    is_seen = is_test & np.isin(images, images[is_train])
    num_seen, num_given = int(is_seen.sum()), int(is_test.sum())
    if num_seen == num_given:
        raise DataError(
            f"Every image of the {part} part is a copy of a training image: nothing is left to "
            "measure on.",
            next_step="Put other images into it, or let Foveal make the split: --test-size 0.2.",
        )
    is_test &= ~is_seen
    if straddling := int(np.isin(groups[is_test], groups[is_train]).sum()):
        notes.append(
            f"{count_noun(straddling, 'tested image')} shared a group with the training part: "
            "the split was kept as it came, and the figures may flatter."
        )
    sentence = (
        f"Measured on the {count_noun(int(is_test.sum()), 'image')} of the {part} part that "
        "came with the data"
    )
    if num_seen:
        sentence += (
            f" and had not been seen in training; {num_seen:,} of the {num_given:,} had been, "
            "as copies, and are not counted"
        )
    fold_index = np.select([is_test, is_train], [0, -1], -2)
    plan = _holdout(fold_index, f"{sentence}.", config.seed, tuple(notes))
    return replace(plan, described=replace(plan.described, num_seen=num_seen))


def _holdout(
    fold_index: NDArray[np.int64], sentence: str, seed: int, notes: tuple[str, ...]
) -> Plan:
    described = Protocol("hold-out", 1, seed, sentence, notes)
    return Plan(described, fold_index.astype(np.int64))


def _describe_unseen(manifest: Manifest, groups: NDArray[np.int64]) -> str:
    if len(np.unique(groups)) == len(groups):
        return "not seen it"
    kin = "a near duplicate of it" if manifest.group_source is None else "its group"
    return f"seen neither it nor {kin}"


def _describe_groups(manifest: Manifest, groups: NDArray[np.int64]) -> str:
    if len(np.unique(groups)) == len(groups):
        return ""
    if manifest.group_source is None:
        return ", near duplicates kept together"
    approximate = "approximate " if manifest.groups_are_approximate else ""
    return f", {approximate}groups ({manifest.group_source}) and near duplicates kept together"
