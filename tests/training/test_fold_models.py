"""Every kind of model keeps the promises that maps, run folder and report rest on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.features.reading import Reading
from foveal.training import FoldFits, FoldModelMaker, Problem, Split
from foveal.training.makers import MAKERS

NUM_IMAGES, NUM_CLASSES, NUM_FEATURES = 72, 3, 8


WIDTHS = (3, 5)


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest) -> FoldModelMaker:
    spec = MAKERS[request.param]
    reading = Reading(stages=("early",), widths=WIDTHS) if spec.needs_stages else Reading()
    return spec.make(reading)


def problem_of(labels: NDArray[np.int64], *, is_holdout: bool = False) -> Problem:
    """Three clusters in groups of three images."""
    random = np.random.default_rng(0)
    truth = np.arange(NUM_IMAGES) // 3 % NUM_CLASSES
    centres = random.normal(size=(NUM_CLASSES, NUM_FEATURES))
    features = centres[truth] + 0.8 * random.normal(size=(NUM_IMAGES, NUM_FEATURES))
    groups = np.arange(NUM_IMAGES) // 3
    fold_index = assign_folds(truth, groups, num_folds=4, seed=0).fold_index
    if is_holdout:
        fold_index = np.where(fold_index == 0, 0, -1)
    return Problem.of_features(
        features.astype(np.float32),
        labels,
        num_classes=NUM_CLASSES,
        groups=groups,
        fold_index=fold_index,
    )


@pytest.fixture(params=["folds", "hold-out"])
def problem(request: pytest.FixtureRequest) -> Problem:
    truth = np.arange(NUM_IMAGES) // 3 % NUM_CLASSES
    return problem_of(truth, is_holdout=request.param == "hold-out")


@pytest.fixture
def fits(maker: FoldModelMaker, problem: Problem) -> FoldFits:
    return maker.fit_folds(problem)


def judged(problem: Problem) -> Problem:
    return problem.take(problem.fold_index >= 0)


def test_each_folds_model_gives_its_logits(fits: FoldFits, problem: Problem) -> None:
    tested = judged(problem)
    assert fits.logits.shape == (len(tested), NUM_CLASSES)
    assert len(fits.fold_models) == problem.num_folds
    for fold, model in enumerate(fits.fold_models):
        rows = tested.fold_index == fold
        logits = model.logits(tested.read(model.reading)[rows])
        assert logits.dtype == np.float64
        np.testing.assert_allclose(logits, fits.logits[rows], atol=1e-4)


def test_clusters_are_told_apart(fits: FoldFits, problem: Problem) -> None:
    assert (fits.logits.argmax(1) == judged(problem).labels).mean() > 0.7


def test_labels_of_a_fold_do_not_reach_its_logits(
    maker: FoldModelMaker, fits: FoldFits, problem: Problem
) -> None:
    held = problem.fold_index == 0
    noisy = np.where(held, (problem.labels + 1) % NUM_CLASSES, problem.labels)
    after = maker.fit_folds(problem_of(noisy, is_holdout=problem.is_holdout))
    rows = judged(problem).fold_index == 0
    np.testing.assert_allclose(after.logits[rows], fits.logits[rows], atol=1e-4)


def test_the_module_gives_the_models_logits(fits: FoldFits, problem: Problem) -> None:
    read = problem.read(fits.model.reading)
    module = fits.model.module()
    assert not module.training
    with torch.no_grad():
        logits = module(torch.from_numpy(read)).numpy()
    np.testing.assert_allclose(logits, fits.model.logits(read), atol=1e-4)


def test_the_module_can_be_differentiated(fits: FoldFits, problem: Problem) -> None:
    read = torch.from_numpy(problem.read(fits.model.reading)).requires_grad_()
    fits.model.module()(read)[:, 0].sum().backward()
    assert read.grad is not None
    assert bool(torch.isfinite(read.grad).all())


def test_an_exact_map_is_exact(fits: FoldFits, problem: Problem) -> None:
    exact = fits.model.exact_map()
    if exact is None:
        pytest.skip("this kind has none")
    read = problem.read(fits.model.reading)
    np.testing.assert_allclose(
        read @ exact.weight.T + exact.bias, fits.model.logits(read), atol=1e-4
    )


def test_a_model_says_in_words_and_json_what_it_is(fits: FoldFits, maker: FoldModelMaker) -> None:
    described = fits.model.describe()
    assert described.kind == maker.kind
    assert described.sentence
    assert not described.sentence.endswith(".")
    assert json.loads(json.dumps(described.parameters)) == described.parameters
    assert json.loads(json.dumps(fits.facts)) == fits.facts


def test_refitting_on_all_images_gives_the_kept_model(maker: FoldModelMaker) -> None:
    problem = problem_of(np.arange(NUM_IMAGES) // 3 % NUM_CLASSES)
    model = maker.fit_folds(problem).model
    everything = Split(np.ones(NUM_IMAGES, bool), np.arange(NUM_IMAGES))
    (logits,) = maker.refit(problem, [everything], like=model)
    np.testing.assert_allclose(logits, model.logits(problem.read(model.reading)), atol=2e-3)


def test_a_refit_does_not_see_what_it_is_not_given(maker: FoldModelMaker) -> None:
    truth = np.arange(NUM_IMAGES) // 3 % NUM_CLASSES
    problem = problem_of(truth)
    model = maker.fit_folds(problem).model
    split = Split(problem.fold_index != 1, np.flatnonzero(problem.fold_index == 1))
    noisy = problem_of(np.where(split.trained, truth, 0))
    (before,), (after,) = (maker.refit(one, [split], like=model) for one in (problem, noisy))
    np.testing.assert_allclose(after, before, atol=1e-4)
