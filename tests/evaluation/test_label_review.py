from __future__ import annotations

import numpy as np
import pytest

from foveal.errors import UsageError
from foveal.evaluation import (
    compare_with_baseline,
    measure,
    review_labels,
    softmax,
    why_not_reviewed,
    worst_mistakes,
)

NAMES = ("cat", "dog", "fox")


def make_flipped(
    *, share: float = 0.05, num_images: int = 1000
) -> tuple[np.ndarray, np.ndarray, set[int]]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, num_images)
    logits = generator.normal(size=(num_images, 3))
    logits[np.arange(num_images), truth] += 5.0
    flipped = generator.choice(num_images, int(share * num_images), replace=False)
    labels = truth.copy()
    labels[flipped] = (labels[flipped] + generator.integers(1, 3, len(flipped))) % 3
    return softmax(logits), labels, set(flipped.tolist())


def paths_for(count: int) -> list[str]:
    return [f"{index}.png" for index in range(count)]


def test_flipped_labels_are_found_first() -> None:
    probabilities, labels, flipped = make_flipped()
    found = review_labels(probabilities, labels, paths=paths_for(1000), class_names=NAMES)
    first = [issue.index for issue in found[: len(flipped)]]
    assert len(flipped & set(first)) / len(first) >= 0.9
    assert len(flipped & set(first)) / len(flipped) >= 0.8


def test_an_issue_names_what_was_given_and_what_seems_right() -> None:
    probabilities, labels, _ = make_flipped()
    issue = review_labels(probabilities, labels, paths=paths_for(1000), class_names=NAMES)[0]
    assert issue.path == f"{issue.index}.png"
    assert issue.label == NAMES[labels[issue.index]]
    assert issue.suggested == NAMES[probabilities[issue.index].argmax()]
    assert issue.label_probability == probabilities[issue.index, labels[issue.index]]
    assert issue.suggested_probability == probabilities[issue.index].max()


def test_suspicion_falls_down_the_list() -> None:
    probabilities, labels, _ = make_flipped()
    found = review_labels(probabilities, labels, paths=paths_for(1000), class_names=NAMES)
    own = [issue.label_probability for issue in found]
    assert own == sorted(own)


def test_the_limit_holds() -> None:
    probabilities, labels, _ = make_flipped()
    assert (
        len(review_labels(probabilities, labels, paths=paths_for(1000), class_names=NAMES, limit=7))
        == 7
    )


def test_a_class_without_images_is_no_obstacle() -> None:
    probabilities, labels, _ = make_flipped()
    probabilities = np.insert(probabilities, 1, 0.0, axis=1)
    labels = np.where(labels > 0, labels + 1, labels)
    found = review_labels(
        probabilities, labels, paths=paths_for(1000), class_names=("cat", "none", "dog", "fox")
    )
    assert len(found) >= 40
    assert "none" not in {issue.suggested for issue in found}


def test_one_class_alone_has_no_issues() -> None:
    assert (
        review_labels([[0.2, 0.8]] * 5, [0] * 5, paths=paths_for(5), class_names=("a", "b")) == ()
    )


def test_flawless_labels_have_no_issues() -> None:
    labels = np.arange(60) % 3
    probabilities = softmax(6.0 * np.eye(3)[labels])
    assert review_labels(probabilities, labels, paths=paths_for(60), class_names=NAMES) == ()


def test_the_review_says_nothing_aloud(capfd: pytest.CaptureFixture[str]) -> None:
    probabilities, labels, _ = make_flipped()
    review_labels(probabilities, labels, paths=paths_for(1000), class_names=NAMES)
    assert capfd.readouterr() == ("", "")


def make_weak(*, separation: float, num_classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Right probabilities of classes that overlap, and labels without a fault."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, num_classes, 1000)
    logits = generator.normal(size=(1000, num_classes))
    logits[np.arange(1000), truth] += separation
    return softmax(separation * logits), truth


@pytest.mark.parametrize("num_classes", [2, 10, 50])
def test_the_mistakes_of_a_weak_classifier_are_not_listed_as_wrong_labels(num_classes: int) -> None:
    probabilities, labels = make_weak(separation=1.2, num_classes=num_classes)
    names = [f"class {k}" for k in range(num_classes)]
    num_mistakes = int((probabilities.argmax(1) != labels).sum())
    found = review_labels(probabilities, labels, paths=paths_for(1000), class_names=names)
    assert num_mistakes > 190
    assert len(found) <= 25


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_the_list_is_as_long_as_the_wrong_labels_are_many(share: float) -> None:
    probabilities, labels, flipped = make_flipped(share=share, num_images=400)
    found = review_labels(probabilities, labels, paths=paths_for(400), class_names=NAMES)
    assert len(flipped) * 0.8 <= len(found) <= len(flipped) * 1.2 + 2


def made_of(right: np.ndarray) -> tuple[object, object]:
    """Metrics and baseline of answers to two classes, half and half."""
    labels = np.arange(len(right)) % 2
    logits = 4.0 * np.eye(2)[np.where(right, labels, 1 - labels)]
    alone = np.arange(len(right))
    return (
        measure(logits, labels, alone, class_names=("a", "b")),
        compare_with_baseline(logits, labels, alone, class_names=("a", "b")),
    )


def test_a_classifier_no_better_than_chance_reviews_no_labels() -> None:
    coins = np.random.default_rng(0).random(200) < 0.5
    assert why_not_reviewed(*made_of(coins)).startswith("Not reviewed")  # type: ignore[arg-type]
    good = np.random.default_rng(0).random(200) < 0.9
    assert why_not_reviewed(*made_of(good)) == ""  # type: ignore[arg-type]


def test_the_surest_mistakes_come_first() -> None:
    probabilities = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.95, 0.05]]
    found = worst_mistakes(probabilities, [1, 0, 0, 0], paths=list("wxyz"), class_names=("a", "b"))
    assert [(item.path, item.label, item.predicted, item.probability) for item in found] == [
        ("w", "b", "a", 0.9),
        ("y", "a", "b", 0.8),
        ("x", "a", "b", 0.6),
    ]


def test_mistakes_are_limited() -> None:
    found = worst_mistakes(
        [[0.9, 0.1]] * 30, [1] * 30, paths=paths_for(30), class_names=("a", "b"), limit=4
    )
    assert [item.index for item in found] == [0, 1, 2, 3]


def test_a_path_too_few_is_named() -> None:
    with pytest.raises(UsageError, match="paths: got 1, expected 2"):
        worst_mistakes([[0.5, 0.5]] * 2, [0, 1], paths=["a"], class_names=("a", "b"))
