from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from sklearn.linear_model import LogisticRegression

from foveal.errors import UsageError
from foveal.evaluation import (
    conformal_thresholds,
    evaluate_prediction_sets,
    predict_sets,
    softmax,
)


def make_probabilities(
    num_images: int, generator: np.random.Generator, *, priors: tuple[float, ...] = (0.4, 0.3, 0.3)
) -> tuple[np.ndarray, np.ndarray]:
    labels = generator.choice(len(priors), size=num_images, p=priors)
    logits = generator.normal(size=(num_images, len(priors)))
    logits[np.arange(num_images), labels] += 1.0
    return softmax(1.5 * logits), labels


def test_the_threshold_is_the_corrected_rank() -> None:
    own = np.arange(1, 20) / 20
    probabilities = np.stack([own, 1 - own], axis=1)
    found = conformal_thresholds(probabilities, np.zeros(19, int), alpha=0.1)
    # Of 19, the (19 + 1) * 0.9 = 18th largest: the second smallest, 2/20.
    assert found.tolist() == [2 / 20, 2 / 20]


def test_too_few_images_admit_every_label() -> None:
    probabilities = np.tile([0.9, 0.1], (8, 1))
    assert conformal_thresholds(probabilities, np.zeros(8, int), alpha=0.1).tolist() == [0, 0]


def test_a_class_with_too_few_images_is_always_admitted() -> None:
    probabilities = np.tile([0.9, 0.1], (28, 1))
    labels = np.array([0] * 20 + [1] * 8)
    found = conformal_thresholds(probabilities, labels, alpha=0.1, conditional="class")
    assert found.tolist() == [0.9, 0.0]


def test_an_empty_set_becomes_the_likeliest_label() -> None:
    found = predict_sets([[0.4, 0.35, 0.25], [0.8, 0.1, 0.1]], [0.7, 0.7, 0.7])
    assert found.tolist() == [[True, False, False], [True, False, False]]


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_sets_agree_with_mapie(alpha: float) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 600)
    features = generator.normal(size=(600, 2)) + np.array([[0, 0], [1.5, 0], [0, 1.5]])[labels]
    model = LogisticRegression().fit(features[:200], labels[:200])
    reference = SplitConformalClassifier(
        model, confidence_level=1 - alpha, conformity_score="lac", prefit=True
    )
    reference.conformalize(features[200:400], labels[200:400])
    _, expected = reference.predict_set(features[400:])
    thresholds = conformal_thresholds(
        model.predict_proba(features[200:400]), labels[200:400], alpha=alpha
    )
    found = predict_sets(model.predict_proba(features[400:]), thresholds)
    filled = expected[:, :, 0].any(axis=1)
    assert np.array_equal(found[filled], expected[filled, :, 0])
    assert (found[~filled].sum(axis=1) == 1).all()


@pytest.mark.parametrize("conditional", ["marginal", "class"])
def test_coverage_keeps_its_promise_on_average(conditional: str) -> None:
    generator = np.random.default_rng(0)
    shares, rare = [], []
    for _ in range(400):
        probabilities, labels = make_probabilities(160, generator, priors=(0.5, 0.35, 0.15))
        thresholds = conformal_thresholds(
            probabilities[:80], labels[:80], alpha=0.1, conditional=conditional
        )
        sets = predict_sets(probabilities[80:], thresholds)
        covered = sets[np.arange(80), labels[80:]]
        shares.append(covered.mean())
        rare.append(covered[labels[80:] == 2].mean())
    # Three standard errors of the mean of 400 shares.
    assert np.mean(shares) >= 0.9 - 3 * np.std(shares) / np.sqrt(400)
    if conditional == "class":
        assert np.mean(rare) >= 0.9 - 3 * np.std(rare) / np.sqrt(400)


def test_class_thresholds_mend_a_neglected_class() -> None:
    probabilities, labels = make_probabilities(
        3000, np.random.default_rng(0), priors=(0.8, 0.15, 0.05)
    )
    probabilities = probabilities * [3.0, 1.0, 0.3]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    folds, groups = np.arange(3000) % 5, np.arange(3000)
    marginal = evaluate_prediction_sets(probabilities, labels, groups, folds)
    by_class = evaluate_prediction_sets(probabilities, labels, groups, folds, conditional="class")
    assert marginal.class_coverage[2].high < 0.9
    assert by_class.class_coverage[2].high > 0.9


def test_observed_coverage_is_cross_fitted() -> None:
    # Fold 0 is sure, fold 1 is not: each judged by the other's threshold.
    probabilities = np.array([[0.9, 0.1]] * 20 + [[0.6, 0.4]] * 20)
    labels, folds = np.zeros(40, int), np.repeat([0, 1], 20)
    found = evaluate_prediction_sets(probabilities, 1 - labels, np.arange(40), folds)
    # True label 1: fold 0 has 0.1 against a threshold of 0.4, fold 1 has 0.4 against 0.1.
    assert found.coverage.estimate == 20 / 40


def test_a_hold_out_is_split_for_the_observed_coverage() -> None:
    probabilities, labels = make_probabilities(1000, np.random.default_rng(0))
    found = evaluate_prediction_sets(
        probabilities, labels, np.arange(1000) // 4, np.zeros(1000, int)
    )
    assert found.coverage.low <= 0.9 <= found.coverage.high
    assert found.thresholds == tuple(conformal_thresholds(probabilities, labels))


def test_one_group_alone_admits_every_label() -> None:
    probabilities, labels = make_probabilities(30, np.random.default_rng(0))
    zeros = np.zeros(30, int)
    found = evaluate_prediction_sets(probabilities, labels, zeros, zeros)
    assert (found.coverage.estimate, found.coverage.low, found.mean_size) == (1.0, None, 3.0)


def test_an_absent_class_has_no_coverage() -> None:
    probabilities, labels = make_probabilities(60, np.random.default_rng(0))
    found = evaluate_prediction_sets(
        probabilities, labels % 2, np.arange(60), np.arange(60) % 3, conditional="class"
    )
    assert found.class_coverage[2].estimate is None
    assert found.thresholds[2] == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_sizes_add_up_and_sets_are_never_empty(seed: int, num_images: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities, labels = make_probabilities(num_images, generator)
    found = evaluate_prediction_sets(
        probabilities, labels, np.arange(num_images), np.arange(num_images) % 4, num_resamples=50
    )
    assert sum(found.size_counts) == num_images
    assert found.size_counts[0] == 0
    sizes = np.arange(4) @ np.array(found.size_counts)
    assert found.mean_size == pytest.approx(sizes / num_images)


@given(st.integers(0, 1000), st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_a_stricter_promise_never_shrinks_a_set(seed: int, first: float, second: float) -> None:
    probabilities, labels = make_probabilities(50, np.random.default_rng(seed))
    strict, loose = sorted((first, second))
    wide = predict_sets(probabilities, conformal_thresholds(probabilities, labels, alpha=strict))
    narrow = predict_sets(probabilities, conformal_thresholds(probabilities, labels, alpha=loose))
    assert (wide >= narrow).all()


def test_a_wrong_alpha_is_refused() -> None:
    with pytest.raises(UsageError, match=r"alpha: got 90, expected a share between 0 and 1"):
        conformal_thresholds([[0.5, 0.5]], [0], alpha=90)


def test_thresholds_of_another_classifier_are_refused() -> None:
    with pytest.raises(UsageError, match=r"thresholds: got shape \(3,\), expected \(2,\)"):
        predict_sets([[0.5, 0.5]], [0.1, 0.1, 0.1])
