"""The closed forms of kernel ridge regression, against fitting it over and over."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.features.reading import Reading
from foveal.training import Problem
from foveal.training.config import ClassWeights
from foveal.training.kernel import KernelMaker, _System
from foveal.training.makers import MAKERS

READING = Reading(stages=("early",), widths=(3, 5))


def problem_of(num_images: int, *, seed: int = 0, class_weights: ClassWeights = "none") -> Problem:
    random = np.random.default_rng(seed)
    labels = np.arange(num_images) % 3
    features = random.normal(size=(num_images, 8)) + 0.8 * np.eye(8)[labels]
    return Problem.of_features(
        features.astype(np.float32),
        labels,
        num_classes=3,
        groups=np.arange(num_images) // 2,
        class_weights=class_weights,
    )


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 100),
    size=st.integers(1, 7),
    penalty=st.floats(0.01, 2),
    class_weights=st.sampled_from(["none", "balanced"]),
)
def test_a_block_left_out_in_closed_form_is_as_if_it_had_not_been_fitted(
    seed: int, size: int, penalty: float, class_weights: ClassWeights
) -> None:
    problem = problem_of(18, seed=seed, class_weights=class_weights)
    system = _System(problem, problem.read(READING), READING, "kernel")
    block = np.random.default_rng(seed).permutation(18)[:size]
    rest = np.setdiff1d(np.arange(18), block)
    found = system.left_out(penalty, [block])[block]
    # The same kernel, centre and weights, solved without the block.
    kernel, targets = system._kernel.numpy(), system._targets.numpy()
    ridge = penalty * system._inverse_weights.numpy()
    solved = np.linalg.solve(kernel[np.ix_(rest, rest)] + np.diag(ridge[rest]), targets[rest])
    expected = kernel[np.ix_(block, rest)] @ solved + system._intercept.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scores_solve_the_ridge_problem_of_the_mean_kernel() -> None:
    problem = problem_of(30)
    read = problem.read(READING)
    model = _System(problem, read, READING, "kernel").model(0.1, 1.0)
    # By hand: standardised with a floor, each stage's mean squared distance one, exp(-2 d2).
    kernels = []
    for part in (read[:, :3].astype(float), read[:, 3:].astype(float)):
        spread = part.var(0) + 0.5 * part.var(0).mean()
        scaled = (part - part.mean(0)) / np.sqrt(spread)
        squared = ((scaled[:, None] - scaled[None]) ** 2).sum(2)
        kernels.append(np.exp(-2 * squared / squared.mean()))
    kernel = np.mean(kernels, 0)
    targets = np.eye(3)[problem.labels] - 1 / 3
    expected = 1 / 3 + kernel @ np.linalg.solve(kernel + 0.1 * np.eye(30), targets)
    np.testing.assert_allclose(model.logits(read), expected, atol=1e-4)


def test_the_module_works_through_its_support_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(30)
    read = problem.read(READING)
    model = KernelMaker(READING).fit_folds(problem.with_folds(np.arange(30) // 2 % 3)).model
    monkeypatch.setattr("foveal.models.over_stages.KERNEL_CHUNK", 7)
    with torch.no_grad():
        found = model.module()(torch.from_numpy(read)).numpy()
    np.testing.assert_allclose(found, model.logits(read), atol=1e-4)


def test_a_stage_that_is_the_same_for_all_images_changes_no_answer() -> None:
    problem = problem_of(30)
    read = problem.read(READING).copy()
    read[:, :3] = 7.0
    model = _System(problem, read, READING, "kernel").model(0.1, 1.0)
    assert np.isfinite(model.logits(read)).all()
    assert (model.logits(read).argmax(1) == problem.labels).mean() > 0.8


def test_answers_that_are_all_right_give_sharp_probabilities() -> None:
    labels = np.arange(60) % 2
    features = np.repeat((10.0 * labels)[:, None], 8, 1) + np.random.default_rng(0).normal(
        size=(60, 8)
    )
    problem = Problem.of_features(
        features.astype(np.float32), labels, num_classes=2, fold_index=np.arange(60) // 2 % 5
    )
    logits = MAKERS["kernel"].make(READING).fit_folds(problem).logits
    right = logits[np.arange(60), labels] - logits[np.arange(60), 1 - labels]
    assert right.min() > 3
