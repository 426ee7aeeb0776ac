"""Nobody is judged by a head, or by a penalty, that saw them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.training import LinearMaker, Problem, cross_validate, default_penalties, fit_heads
from foveal.training.config import ClassWeights
from foveal.training.fitting import predict_random_folds
from foveal.training.linear import CrossValidated, LinearHead, choose_penalty
from foveal.training.solver import is_large_problem

Features = NDArray[np.float32]
Indices = NDArray[np.int64]


def clusters(
    num_images: int = 90, num_classes: int = 3, *, seed: int = 0, distance: float = 0.7
) -> tuple[Features, Indices]:
    random = np.random.default_rng(seed)
    labels = np.arange(num_images) % num_classes
    centres = random.normal(size=(num_classes, 10)) * distance
    features = centres[labels] + random.normal(size=(num_images, 10))
    return features.astype(np.float32), labels


def folds_of(labels: Indices, num_folds: int, groups: Indices | None = None) -> Indices:
    alone = np.arange(len(labels)) if groups is None else groups
    return assign_folds(labels, alone, num_folds=num_folds, seed=0).fold_index


def crossed(
    features: Features,
    labels: Indices,
    fold_index: Indices,
    *,
    class_weights: ClassWeights = "none",
    groups: Indices | None = None,
) -> CrossValidated:
    return cross_validate(
        Problem.of_features(
            features,
            labels,
            num_classes=int(labels.max()) + 1,
            groups=groups,
            fold_index=fold_index,
            class_weights=class_weights,
        )
    )


def fit_alone(features: Features, labels: Indices, rows: NDArray[np.bool_], penalty: float):  # type: ignore[no-untyped-def]
    return fit_heads(
        torch.from_numpy(features[rows]),
        torch.from_numpy(labels[rows]),
        weights=torch.ones(1, int(rows.sum())),
        penalties=torch.tensor([penalty]),
        num_classes=int(labels.max()) + 1,
    )


@pytest.fixture(params=["small", "large"])
def either_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to cross-validate, on the same few images."""
    monkeypatch.setattr(
        "foveal.training.linear.is_large_problem", lambda *_: request.param == "large"
    )
    return str(request.param)


@pytest.mark.usefixtures("either_size")
@pytest.mark.parametrize("num_folds", [2, 5])
def test_each_folds_head_gives_its_logits(num_folds: int) -> None:
    features, labels = clusters()
    fold_index = folds_of(labels, num_folds)
    found = crossed(features, labels, fold_index)
    for fold, head in enumerate(found.fold_heads):
        rows = fold_index == fold
        np.testing.assert_allclose(head.logits(features[rows]), found.logits[rows], atol=1e-5)


def log_loss(features: Features, labels: Indices, heads) -> float:  # type: ignore[no-untyped-def]
    return float(
        torch.nn.functional.cross_entropy(
            heads.logits(torch.from_numpy(features))[0], torch.from_numpy(labels), reduction="sum"
        )
    )


@pytest.mark.usefixtures("either_size")
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("num_folds", [2, 3, 5])
def test_labels_of_a_fold_do_not_reach_its_own_logits(
    num_folds: int, class_weights: ClassWeights
) -> None:
    features, labels = clusters()
    fold_index = folds_of(labels, num_folds)
    before = crossed(features, labels, fold_index, class_weights=class_weights)
    held = fold_index == 0
    noisy = labels.copy()
    noisy[held] = (labels[held] + 1) % 3
    after = crossed(features, noisy, fold_index, class_weights=class_weights)
    np.testing.assert_allclose(after.logits[held], before.logits[held], atol=1e-4)
    assert after.fold_penalties[0] == before.fold_penalties[0]
    # The spy would notice: the other folds did see these labels.
    assert np.abs(after.logits[~held] - before.logits[~held]).max() > 0.1


@pytest.mark.usefixtures("either_size")
def test_features_of_a_fold_do_not_reach_the_heads_that_judge_it() -> None:
    features, labels = clusters()
    fold_index = folds_of(labels, 5)
    before = crossed(features, labels, fold_index)
    held = np.flatnonzero(fold_index == 2)
    moved = features.copy()
    moved[held[0]] += 5
    after = crossed(moved, labels, fold_index)
    np.testing.assert_allclose(after.logits[held[1:]], before.logits[held[1:]], atol=2e-3)


@pytest.mark.parametrize("num_folds", [3, 5])
def test_pairs_of_folds_equal_nested_cross_validation_done_naively(num_folds: int) -> None:
    features, labels = clusters(45)
    fold_index = folds_of(labels, num_folds)
    result = crossed(features, labels, fold_index)
    penalties = default_penalties(len(labels))
    for outer in range(num_folds):
        losses = []
        for penalty in penalties:
            total = 0.0
            for inner in set(range(num_folds)) - {outer}:
                rows = (fold_index != outer) & (fold_index != inner)
                heads = fit_alone(features, labels, rows, penalty)
                tested = fold_index == inner
                total += log_loss(features[tested], labels[tested], heads)
            losses.append(total)
        chosen = penalties[int(np.argmin(losses))]
        assert result.fold_penalties[outer] == chosen
        held = fold_index == outer
        heads = fit_alone(features, labels, ~held, chosen)
        expected = heads.logits(torch.from_numpy(features[held]))[0].numpy()
        np.testing.assert_allclose(result.logits[held], expected, atol=5e-3)


def test_hundreds_of_classes_take_the_way_of_few_fits() -> None:
    assert not is_large_problem(2624, 1280, 4)
    assert is_large_problem(4000, 1280, 1000)


def test_neighbouring_folds_choose_what_all_pairs_choose_where_the_choice_is_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, labels = clusters(600, 30)
    fold_index = folds_of(labels, 5)
    found = {}
    for is_large in (True, False):
        monkeypatch.setattr("foveal.training.linear.is_large_problem", lambda *_, it=is_large: it)
        found[is_large] = crossed(features, labels, fold_index)
    assert found[True].penalty == pytest.approx(found[False].penalty)
    agreement = (found[True].logits.argmax(1) == found[False].logits.argmax(1)).mean()
    assert agreement > 0.99


def test_final_penalty_has_the_least_out_of_fold_loss() -> None:
    features, labels = clusters()
    fold_index = folds_of(labels, 5)
    result = crossed(features, labels, fold_index)
    assert tuple(result.losses) == default_penalties(len(labels))
    assert result.penalty == min(result.losses, key=result.losses.__getitem__)
    expected = 0.0
    for fold in range(5):
        held = fold_index == fold
        heads = fit_alone(features, labels, ~held, result.penalty)
        expected += log_loss(features[held], labels[held], heads)
    assert result.losses[result.penalty] == pytest.approx(expected / len(labels), abs=1e-3)


@pytest.mark.parametrize("num_images", [60, 61])
def test_two_folds_choose_within_the_other_half(num_images: int) -> None:
    features, labels = clusters(num_images)
    result = crossed(features, labels, folds_of(labels, 2))
    assert len(result.fold_penalties) == 2
    assert tuple(result.losses) == default_penalties(num_images)
    assert result.penalty == min(result.losses, key=result.losses.__getitem__)
    assert (result.logits.argmax(1) == labels).mean() > 0.5


def test_two_folds_of_two_groups_a_class_take_the_middle_penalty() -> None:
    features, labels = clusters(40, 2)
    groups = labels * 2 + (np.arange(40) % 4) // 2
    fold_index = folds_of(labels, 2, groups)
    result = crossed(features, labels, fold_index, groups=groups)
    assert result.losses == {}
    assert {*result.fold_penalties, result.penalty} == {default_penalties(40)[3]}


def test_noise_asks_for_more_penalty_than_signal() -> None:
    features, labels = clusters(120, distance=2.0)
    shuffled = np.random.default_rng(3).permutation(labels)
    signal = crossed(features, labels, folds_of(labels, 5))
    noise = crossed(features, shuffled, folds_of(shuffled, 5))
    assert signal.penalty < noise.penalty == default_penalties(120)[-1]


@pytest.mark.parametrize("num_folds", [2, 5])
def test_same_seed_gives_the_same_answer(num_folds: int) -> None:
    features, labels = clusters()
    fold_index = folds_of(labels, num_folds)
    one, two = (crossed(features, labels, fold_index) for _ in range(2))
    np.testing.assert_array_equal(one.logits, two.logits)
    assert one.fold_penalties == two.fold_penalties


def test_shuffled_labels_score_at_chance() -> None:
    features, labels = clusters(300, distance=2.0)
    shuffled = np.random.default_rng(1).permutation(labels)
    result = crossed(features, shuffled, folds_of(shuffled, 5))
    accuracy = (result.logits.argmax(1) == shuffled).mean()
    # Four standard errors of a third; leaking fits would reach far above.
    assert abs(accuracy - 1 / 3) < 4 * np.sqrt(1 / 3 * 2 / 3 / 300)


def test_group_that_is_its_own_signature_fools_random_folds_only() -> None:
    # Labels are drawn by group and every group has its own place: nothing can be learnt
    # about a new group, everything about a known one.
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    labels = np.repeat(random.permutation(np.arange(40) % 2), 6)
    features = random.normal(size=(40, 64))[groups] * 3 + random.normal(size=(240, 64)) * 0.1
    features = features.astype(np.float32)
    grouped = crossed(features, labels, folds_of(labels, 5, groups), groups=groups)
    like = LinearHead(np.zeros((2, 64), np.float32), np.zeros(2, np.float32), penalty=0.01)
    predicted = predict_random_folds(
        Problem.of_features(
            features,
            labels,
            num_classes=2,
            groups=groups,
            fold_index=folds_of(labels, 5, groups),
        ),
        LinearMaker(),
        like=like,
    )
    assert (grouped.logits.argmax(1) == labels).mean() < 0.7
    assert (predicted == labels).mean() > 0.9


def test_penalty_is_chosen_by_folds_of_the_rows_given() -> None:
    features, labels = clusters(120)
    penalty, losses = choose_penalty(Problem.of_features(features, labels, num_classes=3))
    assert penalty == min(losses, key=losses.__getitem__)
    assert all(before < after for before, after in pairwise(losses))


def test_penalty_without_enough_groups_is_the_middle_one() -> None:
    features, labels = clusters(12)
    penalty, losses = choose_penalty(
        Problem.of_features(features, labels, num_classes=3, groups=labels)
    )
    assert losses == {}
    assert penalty == default_penalties(12)[3]
