"""Fine-tuned suffixes keep the promises of every kind of model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.dataset import assign_folds
from foveal.features.reading import POOLED, Reading, ReadingNetwork, readable_network
from foveal.finetuning.cuts import find_candidates
from foveal.finetuning.settings import Recipe
from foveal.models import Backbone, load_backbone
from foveal.training import FoldFits, Problem, Split
from foveal.training.fine_tuned import FineTunedMaker, FineTunedModel

SIZE = (32, 32)
NUM_IMAGES = 24
RECIPE = Recipe(num_epochs=2, batch_size=8, head_rate=1e-2, first_rate=1e-3)


class Activations:
    """Activations without views, by row."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values
        self.digests = tuple(f"{row:04x}" for row in range(len(values)))

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        return np.zeros(len(rows), np.int64)

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.values[rows])


@pytest.fixture(scope="module")
def tiny(tiny_weights: Path) -> Backbone:
    return load_backbone("test_resnet", weights=tiny_weights)


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    coarse = random.normal(size=(NUM_IMAGES, 3, 4, 4)).astype(np.float32)
    brightness = np.where(np.arange(NUM_IMAGES) // 2 % 2, 1.0, -1.0)[:, None, None, None]
    return (coarse.repeat(8, 2).repeat(8, 3) + brightness).astype(np.float32)


@pytest.fixture(scope="module", params=["last stage", "everything"])
def maker(
    request: pytest.FixtureRequest, tiny: Backbone, images: NDArray[np.float32]
) -> FineTunedMaker:
    candidates, _ = find_candidates(tiny, SIZE)
    candidate = candidates[-1] if request.param == "last stage" else candidates[0]
    reading = Reading(cut=candidate.name or "input", cut_shape=candidate.shape)
    values = _read(tiny, reading, images)
    return FineTunedMaker(tiny, candidate, SIZE, Activations(values), RECIPE)


def _read(tiny: Backbone, reading: Reading, images: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        features, read = ReadingNetwork(tiny, reading, SIZE)(torch.from_numpy(images))
    return (features if reading == POOLED else read).numpy()


@pytest.fixture(scope="module")
def problem(tiny: Backbone, images: NDArray[np.float32]) -> Problem:
    labels, groups = np.arange(NUM_IMAGES) // 2 % 2, np.arange(NUM_IMAGES) // 2
    return Problem(
        source=lambda reading: _read(tiny, reading, images),
        rows=np.arange(NUM_IMAGES),
        labels=labels,
        groups=groups,
        fold_index=assign_folds(labels, groups, num_folds=3, seed=0).fold_index,
        class_names=("dark", "bright"),
    )


@pytest.fixture(scope="module")
def fits(maker: FineTunedMaker, problem: Problem) -> FoldFits:
    return maker.fit_folds(problem)


def test_each_folds_model_gives_its_logits(fits: FoldFits, problem: Problem) -> None:
    assert len(fits.fold_models) == problem.num_folds
    for fold, model in enumerate(fits.fold_models):
        rows = problem.fold_index == fold
        logits = model.logits(problem.read(model.reading)[rows])
        np.testing.assert_allclose(logits, fits.logits[rows], atol=1e-4)


def test_labels_of_a_fold_do_not_reach_its_logits(
    maker: FineTunedMaker, fits: FoldFits, problem: Problem
) -> None:
    from dataclasses import replace

    held = problem.fold_index == 0
    noisy = replace(problem, labels=np.where(held, 1 - problem.labels, problem.labels))
    after = maker.fit_folds(noisy)
    np.testing.assert_allclose(after.logits[held], fits.logits[held], atol=1e-5)


def test_of_a_holdout_the_one_model_judges(maker: FineTunedMaker, problem: Problem) -> None:
    holdout = problem.with_folds(np.where(problem.fold_index == 0, 0, -1))
    fits = maker.fit_folds(holdout)
    assert fits.model is fits.fold_models[0]
    assert len(fits.logits) == (problem.fold_index == 0).sum()


def test_the_module_gives_the_models_logits_from_a_row_of_numbers_too(
    fits: FoldFits, problem: Problem
) -> None:
    read = problem.read(fits.model.reading)
    module = fits.model.module()
    assert not module.training
    with torch.no_grad():
        logits = module(torch.from_numpy(read)).numpy()
    np.testing.assert_allclose(logits, fits.model.logits(read), atol=1e-4)
    in_a_row = fits.model.logits(read.reshape(len(read), -1))
    np.testing.assert_array_equal(in_a_row, fits.model.logits(read))


def test_the_whole_network_gives_the_models_logits(
    fits: FoldFits, problem: Problem, tiny: Backbone, images: NDArray[np.float32]
) -> None:
    whole = fits.model.whole_network(tiny.network)
    assert whole is not None
    with torch.inference_mode():
        logits = whole(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(
        logits, fits.model.logits(problem.read(fits.model.reading)), atol=1e-4
    )
    assert set(whole.state_dict()) == set(tiny.network.state_dict())


def test_a_backend_can_run_what_is_read(
    fits: FoldFits, problem: Problem, tiny: Backbone, images: NDArray[np.float32], tmp_path: Path
) -> None:
    from foveal.features import find_backend

    network = readable_network(tiny, fits.model.reading, SIZE)
    backend = find_backend("onnxruntime").open(network, SIZE, tmp_path)
    expected = fits.model.logits(problem.read(fits.model.reading))
    np.testing.assert_allclose(fits.model.logits(backend.run(images)), expected, atol=1e-3)


def test_it_says_in_words_and_json_what_it_is(fits: FoldFits) -> None:
    assert isinstance(fits.model, FineTunedModel)
    described = fits.model.describe()
    if fits.model.is_trained:
        assert described.kind == "fine-tuned"
        assert "fine-tuned" in described.sentence
    else:
        assert described.kind == "linear"
        assert "no epoch of it was better" in described.sentence
    assert json.loads(json.dumps(described.parameters)) == described.parameters
    assert json.loads(json.dumps(fits.facts)) == fits.facts


def test_a_refit_does_not_see_what_it_is_not_given(
    maker: FineTunedMaker, fits: FoldFits, problem: Problem
) -> None:
    from dataclasses import replace

    split = Split(problem.fold_index != 1, np.flatnonzero(problem.fold_index == 1))
    noisy = replace(problem, labels=np.where(split.trained, problem.labels, 0))
    (before,), (after,) = (maker.refit(one, [split], like=fits.model) for one in (problem, noisy))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_the_kept_model_has_no_exact_map(fits: FoldFits) -> None:
    assert isinstance(fits.model, FineTunedModel)
    assert fits.model.exact_map() is None
