from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from foveal.dataset import assign_folds, assign_holdout
from foveal.errors import DataError, UsageError


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Classes that each live in at least six groups, some groups in several classes."""
    num_classes = draw(st.integers(2, 4))
    num_groups = draw(st.integers(6 * num_classes, 40))
    # Group g always holds class g mod K, and perhaps others.
    labels = [g % num_classes for g in range(num_groups)]
    groups = list(range(num_groups))
    for _ in range(draw(st.integers(0, 60))):
        labels.append(draw(st.integers(0, num_classes - 1)))
        groups.append(draw(st.integers(0, num_groups - 1)))
    order = draw(st.permutations(range(len(labels))))
    return np.array(labels)[list(order)], np.array(groups)[list(order)]


@settings(max_examples=60, deadline=None)
@given(data=labelled_groups(), num_folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_no_group_is_split_between_folds(data, num_folds, seed):
    labels, groups = data
    plan = assign_folds(labels, groups, num_folds=num_folds, seed=seed)
    for group in np.unique(groups):
        assert len(np.unique(plan.fold_index[groups == group])) == 1


@settings(max_examples=60, deadline=None)
@given(data=labelled_groups(), num_folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_every_class_is_left_to_train_on_in_every_fold(data, num_folds, seed):
    labels, groups = data
    plan = assign_folds(labels, groups, num_folds=num_folds, seed=seed)
    assert plan.fold_index.shape == labels.shape
    assert set(plan.fold_index) == set(range(plan.num_folds))
    for fold in range(plan.num_folds):
        assert set(labels[plan.fold_index != fold]) == set(labels)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(5, 60), min_size=2, max_size=5),
    num_folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_single_images_are_dealt_out_evenly_class_by_class(counts, num_folds, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    plan = assign_folds(labels, np.arange(len(labels)), num_folds=num_folds, seed=seed)
    for k, count in enumerate(counts):
        held = np.bincount(plan.fold_index[labels == k], minlength=num_folds)
        assert np.abs(held - count / num_folds).max() <= 2


def test_folds_of_single_images_differ_by_one_image_at_most():
    labels = np.repeat([0, 1], [17, 8])
    plan = assign_folds(labels, np.arange(25), num_folds=5, seed=3)
    assert np.bincount(plan.fold_index).tolist() == [5, 5, 5, 5, 5]


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_spread_as_evenly_as_scikit_learn_spreads_them(seed):
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.5, 600) - 1, 2)
    groups = rng.integers(0, 45, 600)
    ours = assign_folds(labels, groups, num_folds=5, seed=seed).fold_index
    theirs = np.zeros(600, dtype=np.int64)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for fold, (_, tested) in enumerate(splitter.split(labels, labels, groups)):
        theirs[tested] = fold

    def unevenness(fold_index: np.ndarray) -> float:
        held = np.zeros((5, 3))
        np.add.at(held, (fold_index, labels), 1)
        return float((held / held.sum(axis=0)).std(axis=0).mean())

    assert unevenness(ours) <= unevenness(theirs) * 1.25 + 0.005


def test_the_seed_decides_and_nothing_else():
    labels = np.arange(60) % 3
    groups = np.arange(60) // 2
    first = assign_folds(labels, groups, num_folds=5, seed=1).fold_index
    again = assign_folds(labels, groups, num_folds=5, seed=1).fold_index
    other = assign_folds(labels, groups, num_folds=5, seed=2).fold_index
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_fewer_folds_when_a_class_has_few_groups():
    labels = np.array([0] * 20 + [1] * 6)
    groups = np.array([*range(20), 20, 20, 21, 21, 22, 22])
    plan = assign_folds(labels, groups, num_folds=5, seed=0, class_names=("good", "bad"))
    assert plan.num_folds == 3
    assert plan.notes == ("3 folds instead of 5: class 'bad' has only 3 groups.",)


def test_a_group_may_hold_several_classes():
    labels = np.array([0, 1] * 10)
    groups = np.repeat(np.arange(10), 2)
    plan = assign_folds(labels, groups, num_folds=5, seed=0)
    assert np.bincount(plan.fold_index).tolist() == [4, 4, 4, 4, 4]


def test_a_fold_that_tests_nothing_of_a_class_is_said():
    # Class 1 lives in three groups, but two of them hold half of class 0 each.
    labels = np.array([0] * 40 + [1] * 3)
    groups = np.array([0] * 20 + [1] * 20 + [0, 1, 2])
    plan = assign_folds(labels, groups, num_folds=5, seed=0, class_names=("a", "b"))
    held = {fold: set(labels[plan.fold_index == fold]) for fold in range(plan.num_folds)}
    absent = [fold for fold, present in held.items() if len(present) < 2]
    said = [note for note in plan.notes if "tests no image of" in note]
    assert len(said) == len(absent)


def test_a_class_in_a_single_group_is_refused_by_name():
    labels = np.array([0, 0, 0, 0, 1, 1])
    groups = np.array([0, 1, 2, 3, 4, 4])
    with pytest.raises(DataError, match="Class 'rare' has 2 images that all belong to one group"):
        assign_folds(labels, groups, num_folds=2, seed=0, class_names=("common", "rare"))


def test_a_class_with_a_single_image_is_refused_by_name():
    with pytest.raises(DataError, match="Class 'rare' has only one image"):
        assign_folds(
            np.array([0, 0, 1]), np.arange(3), num_folds=2, seed=0, class_names=("common", "rare")
        )


def test_two_classes_that_share_their_only_groups_leave_one_way_to_fold():
    labels, groups = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    plan = assign_folds(labels, groups, num_folds=2, seed=0)
    assert plan.fold_index[0] == plan.fold_index[1] != plan.fold_index[2] == plan.fold_index[3]


def test_groups_of_which_one_holds_nearly_everything_can_still_be_folded():
    labels = np.array([0] * 98 + [1] * 98 + [0, 1])
    groups = np.array([0] * 196 + [1, 1])
    plan = assign_folds(labels, groups, num_folds=5, seed=0)
    assert plan.num_folds == 2


def test_one_fold_is_no_cross_validation():
    with pytest.raises(UsageError, match="at least 2 folds, not 1"):
        assign_folds(np.array([0, 1]), np.arange(2), num_folds=1, seed=0)


def test_no_images_cannot_be_folded():
    with pytest.raises(DataError, match="no images to divide"):
        assign_folds(np.array([], dtype=int), np.array([], dtype=int), num_folds=2, seed=0)


def test_labels_and_groups_of_different_length_are_refused():
    with pytest.raises(UsageError, match=r"\(3,\) and \(2,\)"):
        assign_folds(np.array([0, 1, 0]), np.arange(2), num_folds=2, seed=0)


@settings(max_examples=60, deadline=None)
@given(data=labelled_groups(), test_size=st.sampled_from([0.2, 0.25, 0.4]), seed=st.integers(0, 99))
def test_a_holdout_keeps_groups_whole_and_classes_trainable(data, test_size, seed):
    labels, groups = data
    is_test = assign_holdout(labels, groups, test_size=test_size, seed=seed)
    assert not set(groups[is_test]) & set(groups[~is_test])
    assert set(labels[~is_test]) == set(labels)
    assert is_test.any()


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(10, 80), min_size=2, max_size=5),
    test_size=st.sampled_from([0.1, 0.2, 0.25, 0.5]),
    seed=st.integers(0, 99),
)
def test_a_holdout_of_single_images_meets_the_share_in_every_class(counts, test_size, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    is_test = assign_holdout(labels, np.arange(len(labels)), test_size=test_size, seed=seed)
    assert abs(is_test.sum() - test_size * len(labels)) <= 1.5
    for k, count in enumerate(counts):
        assert abs(is_test[labels == k].sum() - test_size * count) <= 2


def test_the_deitsch_split_of_elpv_has_its_size():
    # Deitsch et al. 2019: 2,624 cells, a quarter held out, 656.
    labels = np.repeat([0, 1, 2], [1508, 401, 715])
    is_test = assign_holdout(labels, np.arange(2624), test_size=0.25, seed=0)
    held = np.bincount(labels[is_test])
    assert abs(held - np.array([377, 100.25, 178.75])).max() <= 1
    assert abs(is_test.sum() - 656) <= 1


def test_classes_too_small_for_the_share_still_leave_something_to_test():
    labels = np.repeat(np.arange(30), 2)
    is_test = assign_holdout(labels, np.arange(60), test_size=0.2, seed=0)
    assert 9 <= is_test.sum() <= 15


def test_a_share_that_no_group_fits_is_refused():
    labels, groups = np.array([0, 1] * 50), np.repeat([0, 1], 50)
    with pytest.raises(DataError, match="every class is left to train on and something"):
        assign_holdout(labels, groups, test_size=0.001, seed=0)


@pytest.mark.parametrize("test_size", [0.0, 1.0, -0.1, 20])
def test_a_share_outside_0_and_1_is_wrong_usage(test_size):
    with pytest.raises(UsageError, match="between 0 and 1"):
        assign_holdout(np.array([0, 1]), np.arange(2), test_size=test_size, seed=0)


def test_many_single_images_do_not_trouble_the_warnings_filter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = assign_folds(np.arange(4000) % 7, np.arange(4000), num_folds=5, seed=0)
    assert plan.num_folds == 5
