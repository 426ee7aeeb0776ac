"""Smaller training sets keep groups whole and classes present, and are judged fairly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.training import LinearHead, LinearMaker, Problem, linear
from foveal.training.learning_curve import _draw_order, _end_of_group, measure_learning_curve

Indices = NDArray[np.int64]


def data(
    num_groups: int, group_size: int, num_classes: int = 3, *, seed: int = 0
) -> tuple[NDArray[np.float32], Indices, Indices]:
    """Features, labels and groups; every group has one label."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(num_groups), group_size)
    labels = groups % num_classes
    centres = random.normal(size=(num_classes, 6))
    features = centres[labels] + random.normal(size=(len(labels), 6))
    return features.astype(np.float32), labels, groups


def measure(
    features: NDArray[np.float32], labels: Indices, groups: Indices, *, seed: int = 0
) -> tuple[Indices, NDArray[np.float64]]:
    num_classes = int(labels.max()) + 1
    problem = Problem.of_features(
        features,
        labels,
        num_classes=num_classes,
        groups=groups,
        fold_index=assign_folds(labels, groups, num_folds=5, seed=0).fold_index,
        seed=seed,
    )
    like = LinearHead(np.zeros((num_classes, 6)), np.zeros(num_classes), penalty=0.3)
    return measure_learning_curve(problem, LinearMaker(), like=like, full_accuracy=0.9)


class Spy:
    """Stands before the solver and keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.masks = np.empty(0)
        self.penalties = np.empty(0)
        fit = linear.fit_heads

        def spy(*args: object, **options: torch.Tensor) -> object:
            self.masks = options["weights"].numpy() > 0
            self.penalties = options["penalties"].numpy()
            monkeypatch.setattr(linear, "fit_heads", fit)
            return fit(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(linear, "fit_heads", spy)


@pytest.mark.parametrize(("num_groups", "group_size"), [(200, 1), (60, 4), (30, 20)])
def test_sets_hold_whole_groups_of_every_class_outside_the_fold(
    monkeypatch: pytest.MonkeyPatch, num_groups: int, group_size: int
) -> None:
    spy = Spy(monkeypatch)
    features, labels, groups = data(num_groups, group_size)
    fold_index = assign_folds(labels, groups, num_folds=5, seed=0).fold_index
    measure(features, labels, groups)
    per_fold = len(spy.masks) // 5
    for row, mask in enumerate(spy.masks):
        assert not (mask & (fold_index == row // per_fold)).any()
        for group in np.unique(groups):
            assert mask[groups == group].all() or not mask[groups == group].any()
        assert set(labels[mask]) == {0, 1, 2}


def test_sizes_grow_evenly_in_ratio_up_to_the_full_training_set() -> None:
    sizes, accuracies = measure(*data(200, 1))
    assert sizes.tolist() == [16, 25, 40, 64, 101, 160]
    assert accuracies.shape == (6, 4)


def test_sizes_are_what_was_drawn_where_groups_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    sizes, accuracies = measure(*data(30, 20))
    drawn = spy.masks.sum(1).reshape(5 * 4, -1).mean(0)
    assert set(sizes[:-1]) <= set(drawn.round().astype(int))
    assert sizes[-1] == 480
    assert (np.diff(sizes) > 0).all()
    assert len(accuracies) == len(sizes)


def test_prior_stays_the_same_as_images_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    measure(*data(100, 2))
    np.testing.assert_allclose(spy.penalties * spy.masks.sum(1), 0.3 * 160, rtol=1e-5)


def test_last_point_is_the_accuracy_that_is_known() -> None:
    _, accuracies = measure(*data(60, 1))
    assert accuracies[-1, 0] == 0.9
    assert np.isnan(accuracies[-1, 1:]).all()
    assert np.isfinite(accuracies[:-1]).all()


def test_accuracy_of_a_size_is_that_of_heads_fitted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    features, labels, groups = data(60, 1)
    fold_index = assign_folds(labels, groups, num_folds=5, seed=0).fold_index
    sizes, accuracies = measure(features, labels, groups)
    num_sizes, num_repeats = len(sizes) - 1, accuracies.shape[1]
    right = np.zeros((num_sizes, num_repeats))
    for row, mask in enumerate(spy.masks):
        fold, rest = divmod(row, num_sizes * num_repeats)
        repeat, size = divmod(rest, num_sizes)
        heads = linear.fit_heads(
            torch.from_numpy(features[mask]),
            torch.from_numpy(labels[mask]),
            weights=torch.ones(1, int(mask.sum())),
            penalties=torch.tensor([float(spy.penalties[row])]),
            num_classes=3,
        )
        held = fold_index == fold
        answers = heads.logits(torch.from_numpy(features[held]))[0].argmax(1).numpy()
        right[size, repeat] += (answers == labels[held]).sum()
    np.testing.assert_allclose(accuracies[:-1], right / 60, atol=1.5 / 60)


def test_seed_fixes_the_draws() -> None:
    case = data(60, 1)
    np.testing.assert_array_equal(measure(*case, seed=3)[1], measure(*case, seed=3)[1])
    assert not np.array_equal(measure(*case, seed=3)[1], measure(*case, seed=4)[1], equal_nan=True)


def test_too_few_images_give_the_one_known_point() -> None:
    sizes, accuracies = measure(*data(15, 1))
    assert sizes.tolist() == [12]
    assert accuracies.tolist() == [[0.9]]


@settings(deadline=None, max_examples=100)
@given(
    members=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=60),
    seed=st.integers(0, 1000),
    size=st.integers(1, 60),
)
def test_order_and_cut_keep_groups_whole_and_classes_present(
    members: list[tuple[int, int]], seed: int, size: int
) -> None:
    groups, labels = (np.array(column, np.int64) for column in zip(*members, strict=True))
    rows = np.arange(len(groups))
    order, least = _draw_order(rows, labels, groups, np.random.default_rng(seed))
    assert sorted(order) == rows.tolist()
    end = _end_of_group(order, groups, size, least=least)
    kept, left = order[:end], order[end:]
    assert set(labels[kept]) == set(labels)
    assert not set(groups[kept]) & set(groups[left])
    # No other cut that keeps every class comes nearer to the size.
    cuts = [cut for cut in range(least, len(order)) if groups[order[cut - 1]] != groups[order[cut]]]
    assert all(abs(end - size) <= abs(cut - size) for cut in [*cuts, len(order)])
