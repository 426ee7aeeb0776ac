from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from foveal.errors import DataError, UsageError
from foveal.evaluation import NoveltyReference, fit_novelty, score_novelty

NUM_IMAGES, WIDTH = 600, 200


def make_features(num_images: int, *, seed: int, kind: str = "known") -> np.ndarray:
    """Two classes in a 10-dimensional subspace with small noise outside it, all positive."""
    shape = np.random.default_rng(99)
    basis = shape.normal(size=(10, WIDTH))
    centres = shape.normal(size=(2, 10))
    other_basis = shape.normal(size=(10, WIDTH))
    generator = np.random.default_rng(seed)
    inner = centres[generator.integers(0, 2, num_images)]
    inner = inner + 0.5 * generator.normal(size=(num_images, 10))
    features = 8.0 + inner @ basis + 0.3 * generator.normal(size=(num_images, WIDTH))
    if kind == "outside the subspace":
        features += generator.normal(size=(num_images, 10)) @ other_basis
    if kind == "far within the subspace":
        features += 4.0 * generator.normal(size=(num_images, 10)) @ basis
    return features.astype(np.float32)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return make_features(NUM_IMAGES, seed=0)


@pytest.fixture(scope="module")
def reference(features: np.ndarray) -> NoveltyReference:
    return fit_novelty(features, np.arange(NUM_IMAGES) % 5)[0]


@pytest.mark.parametrize("kind", ["outside the subspace", "far within the subspace"])
def test_unlike_images_score_higher(reference: NoveltyReference, kind: str) -> None:
    known = score_novelty(reference, make_features(300, seed=1))
    unlike = score_novelty(reference, make_features(300, seed=2, kind=kind))
    truth = np.repeat([0, 1], 300)
    assert roc_auc_score(truth, np.concatenate([known, unlike])) > 0.98
    assert (unlike > reference.threshold).mean() > 0.85


def test_new_images_of_the_same_kind_are_rarely_flagged(reference: NoveltyReference) -> None:
    scores = score_novelty(reference, make_features(2000, seed=1))
    assert (scores > reference.threshold).mean() == pytest.approx(0.01, abs=0.015)


def test_ordinary_images_score_about_one(reference: NoveltyReference) -> None:
    assert np.median(score_novelty(reference, make_features(500, seed=1))) == pytest.approx(
        1.0, abs=0.25
    )


def test_the_flagged_share_is_near_what_the_quantile_asks(features: np.ndarray) -> None:
    _, novelty = fit_novelty(features, np.arange(NUM_IMAGES) % 5, quantile=0.9)
    assert novelty.flagged_share == pytest.approx(0.1, abs=0.04)


def test_the_score_is_the_distance_written_out(reference: NoveltyReference) -> None:
    features = make_features(5, seed=3).astype(np.float64)
    centred = features / np.linalg.norm(features, axis=1, keepdims=True) - reference.mean
    inside = centred @ reference.components
    rest = centred - inside @ reference.components.T
    within = ((inside / reference.scales) ** 2).mean(axis=1)
    outside = (rest**2).sum(axis=1) / reference.residual_scale**2
    assert score_novelty(reference, features) == pytest.approx(
        np.sqrt((within + outside) / 2), rel=1e-3
    )


def test_components_are_those_of_scikit_learn(
    features: np.ndarray, reference: NoveltyReference
) -> None:
    from sklearn.decomposition import PCA

    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = PCA(n_components=10, svd_solver="full").fit(unit.astype(np.float64))
    overlap = np.abs(np.sum(expected.components_.T * reference.components[:, :10], axis=0))
    assert overlap == pytest.approx(1.0, abs=1e-3)
    scales = np.sqrt(expected.explained_variance_ * (NUM_IMAGES - 1) / NUM_IMAGES)
    assert reference.scales[:10] == pytest.approx(scales, rel=1e-3)


def test_more_numbers_than_images_give_the_same_kind_of_reference() -> None:
    wide = make_features(60, seed=0)
    reference, _ = fit_novelty(wide, np.arange(60) % 3)
    gram = reference.components.T @ reference.components
    assert gram == pytest.approx(np.eye(len(gram)), abs=1e-3)
    unlike = make_features(50, seed=2, kind="outside the subspace")
    assert score_novelty(reference, unlike).mean() > reference.threshold


def test_a_hold_out_has_a_threshold_too(features: np.ndarray) -> None:
    reference, novelty = fit_novelty(features, np.zeros(NUM_IMAGES, int))
    assert 0.0 < novelty.threshold == reference.threshold
    assert novelty.flagged_share < 0.05


def test_the_same_features_give_the_same_reference(
    features: np.ndarray, reference: NoveltyReference
) -> None:
    again, _ = fit_novelty(features, np.arange(NUM_IMAGES) % 5)
    for name, array in reference.to_arrays().items():
        assert np.array_equal(again.to_arrays()[name], array)


def test_a_reference_survives_storage(reference: NoveltyReference) -> None:
    stored = NoveltyReference.from_arrays(reference.to_arrays())
    features = make_features(20, seed=1)
    assert np.array_equal(score_novelty(stored, features), score_novelty(reference, features))
    assert stored.threshold == reference.threshold


def test_features_that_never_vary_do_not_crash() -> None:
    reference, _ = fit_novelty(np.ones((20, 8)), np.arange(20) % 4)
    other = np.concatenate([-np.ones((1, 8)), np.zeros((1, 8))])
    assert np.isfinite(score_novelty(reference, np.ones((2, 8)))).all()
    assert (score_novelty(reference, other) > reference.threshold).all()


def test_a_missing_array_is_named(reference: NoveltyReference) -> None:
    arrays = reference.to_arrays()
    del arrays["scales"]
    with pytest.raises(DataError, match="lacks scales"):
        NoveltyReference.from_arrays(arrays)


def test_an_array_of_another_shape_is_named(reference: NoveltyReference) -> None:
    broken = dataclasses.replace(reference, scales=reference.scales[:3])
    with pytest.raises(DataError, match=r"components of shape \(200, 64\); expected \(200, 3\)"):
        NoveltyReference.from_arrays(broken.to_arrays())


def test_features_of_another_backbone_are_refused(reference: NoveltyReference) -> None:
    with pytest.raises(UsageError, match="features: got 7 numbers an image, expected 200"):
        score_novelty(reference, np.zeros((2, 7)))


def test_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match="Got 3 images, expected at least 4"):
        fit_novelty(np.eye(3), [0, 1, 2])


def test_one_group_in_one_fold_is_refused() -> None:
    with pytest.raises(DataError, match="All 6 images are one group"):
        fit_novelty(np.eye(6), np.zeros(6, int), groups=np.zeros(6, int))
