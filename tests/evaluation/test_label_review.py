from __future__ import annotations

import numpy as np
import pytest

from foveal.errors import UsageError
from foveal.evaluation import review_labels, softmax, worst_mistakes

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
    with pytest.raises(UsageError, match="1 paths came for 2 images"):
        worst_mistakes([[0.5, 0.5]] * 2, [0, 1], paths=["a"], class_names=("a", "b"))
