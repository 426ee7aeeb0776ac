"""Makes folds and hold-outs that never split a group and keep the classes even.

One rule serves both. Groups are dealt out, largest first, to parts that should each end up
with a given share of every class. With ``x[f, k]`` the share of class ``k`` that part ``f``
holds and ``d[k]`` what the next group would add, the sum over parts of ``|x[f]|² / share[f]``
is least exactly when every part holds its share of every class; adding the group to part
``f`` raises it by ``(2 x[f]·d + d·d) / share[f]``, so the group goes where that is smallest.
For single images of one class this is the Sainte-Laguë rule for dealing out seats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.errors import DataError, UsageError
from foveal.text import count_noun, printable

_NUM_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """Which fold tests each image.

    Attributes:
        fold_index: int64 [N], from 0 to ``num_folds - 1``.
        num_folds: Folds in use; may be fewer than were asked for, then ``notes`` says why.
        notes: What a reader of the results should know, as sentences.
    """

    fold_index: NDArray[np.int64]
    num_folds: int
    notes: tuple[str, ...] = ()


def assign_folds(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    num_folds: int,
    seed: int,
    class_names: Sequence[str] | None = None,
) -> FoldPlan:
    """Deals images into folds: groups whole, classes spread evenly.

    The plan depends on the seed and on the order of the images, nothing else. It is
    scikit-learn's ``StratifiedGroupKFold`` in purpose, but takes the time of a sort where
    nearly every group is a single image, and always leaves every class to train on.

    Args:
        labels: Class of each image, [N], from 0.
        groups: Group of each image, [N]; images with one number stay together.
        num_folds: Folds wanted, at least 2. No class is given more folds than it has groups.
        seed: Fixes which of many equally good plans is taken.
        class_names: For messages; the numbers are shown without it.

    Raises:
        DataError: A class lives in a single group, so it cannot be trained on and tested.
        UsageError: ``num_folds`` is below 2.
    """
    if num_folds < 2:
        raise UsageError(
            f"Cross-validation needs at least 2 folds, not {num_folds}.",
            next_step="Ask for 5 folds, or for a hold-out (--test-size 0.2) instead.",
        )
    counts, group_index = _count_by_group(labels, groups)
    names = _class_names(counts.shape[1], class_names)
    groups_by_class = _require_two_groups(counts, names)
    notes: list[str] = []
    num_used = min(num_folds, int(groups_by_class.min()))
    if num_used < num_folds:
        scarce = int(groups_by_class.argmin())
        notes.append(
            f"{num_used} folds instead of {num_folds}: class {names[scarce]} has only "
            f"{_describe_groups(int(groups_by_class[scarce]), counts)}."
        )
    for num_tried in range(num_used, 1, -1):
        shares = np.full(num_tried, 1.0 / num_tried)
        part = _spread(
            counts, shares, seed=seed, find_failing=_kept_whole_by_one_fold, size_weight=1.0
        )
        if part is not None:
            break
        notes.append(f"{num_tried} folds cannot leave every class in every training part.")
    else:
        raise _inseparable(counts, names)
    held = np.zeros((num_tried, counts.shape[1]), dtype=np.int64)
    np.add.at(held, part, counts)
    for fold, row in enumerate(held):
        absent = [names[k] for k in np.flatnonzero(row == 0).tolist()]
        if absent:
            notes.append(
                f"Fold {fold + 1} tests no image of {', '.join(absent)}: its groups are too large."
            )
    return FoldPlan(part[group_index], num_tried, tuple(notes))


def assign_holdout(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    test_size: float,
    seed: int,
    class_names: Sequence[str] | None = None,
) -> NDArray[np.bool_]:
    """Sets a share of the images aside for testing: groups whole, classes in proportion.

    Args:
        labels: Class of each image, [N], from 0.
        groups: Group of each image, [N]; images with one number stay together.
        test_size: Share to test on, between 0 and 1. Large groups may keep it from being met.
        seed: Fixes which of many equally good choices is taken.
        class_names: For messages; the numbers are shown without it.

    Returns:
        bool [N], true for test. Every class is left in training; a class too small for the
        share may be absent from the test.

    Raises:
        DataError: A class lives in a single group, or nothing would be left to test.
        UsageError: ``test_size`` is not between 0 and 1.
    """
    if not 0.0 < test_size < 1.0:
        raise UsageError(
            f"The test share must lie between 0 and 1, not {test_size:g}.",
            next_step="Use 0.2 for one image in five.",
        )
    counts, group_index = _count_by_group(labels, groups)
    names = _class_names(counts.shape[1], class_names)
    _require_two_groups(counts, names)
    shares = np.array([1.0 - test_size, test_size])
    part = _spread(
        counts,
        shares,
        seed=seed,
        find_failing=_left_out_of_training,
        # As much as all classes together: it decides where they are too small to be divided.
        size_weight=counts.shape[1],
    )
    if part is None:
        raise DataError(
            f"With a test share of {test_size:g}, {count_noun(len(counts), 'group')} of "
            f"{count_noun(int(counts.sum()), 'image')} cannot be divided so that every class "
            "is left to train on and something is left to test.",
            next_step="Choose a test share nearer to 0.5, or use cross-validation.",
        )
    chosen: NDArray[np.bool_] = part[group_index] == 1
    return chosen


def _count_by_group(
    labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns images by group and class [G, K], and the row of each image's group [N]."""
    labels, groups = np.asarray(labels, dtype=np.int64), np.asarray(groups)
    if labels.ndim != 1 or labels.shape != groups.shape:
        raise UsageError(
            f"Labels and groups must be two lists of one length, not of the shapes "
            f"{labels.shape} and {groups.shape}."
        )
    if not len(labels):
        raise DataError(
            "There are no images to divide.", next_step="Run foveal audit to see what was found."
        )
    unique, group_index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(unique), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (group_index, labels), 1)
    return counts, group_index.astype(np.int64)


def _class_names(num_classes: int, given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [f"number {k}" for k in range(num_classes)]
    return [f"'{printable(name)}'" for name in given]


def _require_two_groups(counts: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
    """Returns the number of groups by class [K]; each must have at least two."""
    groups_by_class: NDArray[np.int64] = (counts > 0).sum(axis=0).astype(np.int64)
    for k in np.flatnonzero(groups_by_class < 2).tolist():
        num_images = int(counts[:, k].sum())
        if num_images == 0:
            raise DataError(
                f"Class {names[k]} has no usable image.",
                next_step="Add images of it, or take the class out.",
            )
        where = (
            "only one image"
            if num_images == 1
            else f"{num_images} images that all belong to one group (or are copies of one another)"
        )
        raise DataError(
            f"Class {names[k]} has {where}, so it cannot be both trained on and tested.",
            next_step="Add images of it from another source, or take the class out.",
        )
    return groups_by_class


def _describe_groups(count: int, counts: NDArray[np.int64]) -> str:
    is_single = bool((counts.sum(axis=1) == 1).all())
    return count_noun(count, "image" if is_single else "group")


def _kept_whole_by_one_fold(held: NDArray[np.int64]) -> NDArray[np.bool_]:
    # A class held by two folds or more is in the training part of every one of them.
    is_failing: NDArray[np.bool_] = (held > 0).sum(axis=0) < 2
    return is_failing


def _left_out_of_training(held: NDArray[np.int64]) -> NDArray[np.bool_]:
    return held[0] == 0 if held[1].any() else np.ones(held.shape[1], dtype=np.bool_)


def _spread(
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
    *,
    seed: int,
    find_failing: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    size_weight: float,
) -> NDArray[np.int64] | None:
    """Returns the part of each group [G], or ``None`` where no attempt worked.

    ``find_failing`` looks at the images that each part holds by class, [F, K], and says which
    classes [K] must not be left like that. ``size_weight`` is how much the size of the parts
    counts beside one class.
    """
    rng = np.random.default_rng(seed)
    num_images = counts.sum(axis=1)
    emphasis = np.ones(counts.shape[1])
    for _ in range(_NUM_ATTEMPTS):
        in_all = np.sqrt(size_weight) * num_images / num_images.sum()
        weights = np.column_stack([emphasis * counts / counts.sum(axis=0), in_all])
        part = _deal(weights, shares, rng=rng)
        held = np.zeros((len(shares), counts.shape[1]), dtype=np.int64)
        np.add.at(held, part, counts)
        failing = find_failing(held)
        if not failing.any():
            return part
        emphasis[failing] *= 2.0
    return None


def _deal(
    weights: NDArray[np.float64], shares: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deals groups with ``weights`` [G, K + 1] to parts, largest first, equals in any order."""
    sizes = (weights**2).sum(axis=1)
    shuffled = rng.permutation(len(weights))
    order = shuffled[np.argsort(-np.round(sizes[shuffled], 12), kind="stable")]
    part = np.empty(len(weights), dtype=np.int64)
    held = np.zeros((len(shares), weights.shape[1]))
    for group in order:
        cost = (2.0 * held @ weights[group] + sizes[group]) / shares
        # Rounding keeps sums that are equal on paper equal here, on every machine.
        chosen = int(np.argmin(np.round(cost, 12)))
        part[group] = chosen
        held[chosen] += weights[group]
    return part


def _inseparable(counts: NDArray[np.int64], names: Sequence[str]) -> DataError:
    groups_by_class = (counts > 0).sum(axis=0)
    scarce = int(groups_by_class.argmin())
    return DataError(
        f"No division of {count_noun(len(counts), 'group')} leaves every class in every "
        f"training part; class {names[scarce]} lives in only {groups_by_class[scarce]}.",
        next_step=f"Add groups with images of class {names[scarce]}, or take the class out.",
    )
