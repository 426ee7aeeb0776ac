"""One head, with classes counting as was asked."""

from __future__ import annotations

import numpy as np
import pytest

from foveal.training import LinearHead, Problem, fit_head


def imbalanced(num_common: int, num_rare: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.array([0] * num_common + [1] * num_rare)
    features = random.normal(size=(len(labels), 4)) + 0.5 * labels[:, None]
    return features.astype(np.float32), labels


def test_logits_are_the_linear_map() -> None:
    head = LinearHead(
        np.array([[1, 2], [3, 4]], np.float32), np.array([10, 20], np.float32), penalty=1.0
    )
    logits = head.logits(np.array([[1, 1], [0, 2]], np.float32))
    assert logits.dtype == np.float64
    np.testing.assert_array_equal(logits, [[1 + 2 + 10, 3 + 4 + 20], [2 * 2 + 10, 2 * 4 + 20]])


def test_head_remembers_its_penalty_and_shape() -> None:
    features, labels = imbalanced(10, 10)
    head = fit_head(Problem.of_features(features, labels, num_classes=3), penalty=0.5)
    assert head.penalty == 0.5
    assert head.weight.shape == (3, 4)
    assert head.weight.dtype == head.bias.dtype == np.float32


def test_same_input_gives_the_same_head() -> None:
    features, labels = imbalanced(20, 10)
    one, two = (
        fit_head(
            Problem.of_features(features, labels, num_classes=2, class_weights="auto"), penalty=0.5
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.weight, two.weight)
    np.testing.assert_array_equal(one.bias, two.bias)


def test_balancing_finds_more_of_the_rare_class() -> None:
    features, labels = imbalanced(90, 10)
    found = {
        choice: int(
            (
                fit_head(
                    Problem.of_features(
                        features,
                        labels,
                        num_classes=2,
                        class_weights=choice,  # type: ignore[arg-type]
                    ),
                    penalty=0.1,
                )
                .logits(features[labels == 1])
                .argmax(1)
            ).sum()
        )
        for choice in ("none", "balanced")
    }
    assert found["balanced"] > found["none"]


@pytest.mark.parametrize(
    ("choice", "num_rare", "balances"),
    [
        ("none", 2, False),
        ("balanced", 20, True),
        ("auto", 20, False),
        ("auto", 8, False),
        ("auto", 7, True),
    ],
)
def test_classes_are_balanced_when_asked_or_when_five_to_one(
    choice: str, num_rare: int, balances: bool
) -> None:
    labels = np.array([0] * 40 + [1] * num_rare)
    problem = Problem.of_features(
        np.zeros((len(labels), 1), np.float32),
        labels,
        num_classes=2,
        class_weights=choice,  # type: ignore[arg-type]
    )
    weights = problem.row_weights(np.ones((1, len(labels)), bool))
    total_common, total_rare = float(weights[0, :40].sum()), float(weights[0, 40:].sum())
    expected = total_common if balances else num_rare
    assert total_rare == pytest.approx(expected)
