"""Stacking: weights out of fold, and one network of all members."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.dataset import assign_folds
from foveal.models.over_stages import StagedClassifier, StagedNetwork
from foveal.models.stacked import StackedClassifier, build_classifier_like, classifier_settings
from foveal.training import FoldFits, LinearHead, Problem
from foveal.training.stacked import fit_weights, stack

RANDOM = np.random.default_rng(0)
LABELS = np.arange(300) % 3
GOOD = 2 * np.eye(3)[LABELS] + RANDOM.normal(size=(300, 3))
NOISE = RANDOM.normal(size=(300, 3))


def test_noise_has_no_weight_and_what_is_known_is_counted_once() -> None:
    weights = fit_weights([GOOD, NOISE], LABELS)
    assert weights[0] > 5 * weights[1] >= 0
    alone = fit_weights([GOOD], LABELS)
    twice = fit_weights([GOOD, GOOD], LABELS)
    assert twice.sum() == pytest.approx(alone[0], rel=0.05)
    assert twice[0] == pytest.approx(twice[1], abs=1e-3)


def test_two_that_err_apart_are_better_together() -> None:
    other = 2 * np.eye(3)[LABELS] + np.random.default_rng(1).normal(size=(300, 3))
    weights = fit_weights([GOOD, other], LABELS)
    together = (weights[0] * GOOD + weights[1] * other).argmax(1)
    assert (together == LABELS).mean() > (GOOD.argmax(1) == LABELS).mean()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_weights_are_never_negative_nor_all_nothing(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    answers = [random.normal(size=(30, 2)) * random.uniform(0, 5) for _ in range(count)]
    weights = fit_weights(answers, random.integers(0, 2, 30))
    assert (weights >= 0).all()
    assert weights.sum() > 0


def problem_of(labels: np.ndarray) -> Problem:
    groups = np.arange(300) // 3
    return Problem.of_features(
        np.zeros((300, 4), np.float32),
        labels,
        num_classes=3,
        groups=groups,
        fold_index=assign_folds(LABELS, groups, num_folds=3, seed=0).fold_index,
    )


def fits_of(logits: np.ndarray) -> FoldFits:
    head = LinearHead(np.zeros((3, 4), np.float32), np.zeros(3, np.float32), 1.0)
    return FoldFits(logits, (head,) * 3, head)


def test_labels_of_a_fold_do_not_reach_its_answers() -> None:
    network, members = torch.nn.Identity(), [fits_of(GOOD), fits_of(NOISE)]
    problem = problem_of(LABELS)
    mine = problem.fold_index == 0
    noisy = problem_of(np.where(mine, (LABELS + 1) % 3, LABELS))
    before, after = (stack(one, members, network=network, size=(8, 8)) for one in (problem, noisy))
    np.testing.assert_allclose(after.logits[mine], before.logits[mine])
    assert not np.allclose(after.logits[~mine], before.logits[~mine])


def test_it_is_built_again_from_its_settings() -> None:
    plain = timm.create_model("test_resnet", num_classes=3).eval()
    frozen = timm.create_model("test_resnet", num_classes=1).eval()
    stages, widths = ("layer1", "layer2"), (16, 24, frozen.num_features)
    with torch.inference_mode():
        found = [frozen.get_submodule(name) for name in stages]
    assert len(found) == 2
    staged = StagedNetwork(frozen, stages)
    width = staged(torch.zeros(1, 3, 32, 32)).shape[1]
    widths = (*widths[:2], width - sum(widths[:2]))
    head = StagedClassifier(staged, torch.nn.Linear(width, 3), widths).eval()
    classifier = StackedClassifier([head, plain], [0.3, 0.7]).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        logits = classifier(images)
        torch.testing.assert_close(logits, 0.3 * head(images) + 0.7 * plain(images))
        again = build_classifier_like(
            timm.create_model("test_resnet", num_classes=3),
            classifier_settings(classifier),
            num_classes=3,
        ).eval()
        again.load_state_dict(classifier.state_dict())
        torch.testing.assert_close(again(images), logits)
