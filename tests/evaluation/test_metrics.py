from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from foveal.errors import UsageError
from foveal.evaluation import Interval, compare_with_baseline, measure, softmax
from foveal.evaluation.evidence import Metrics

NAMES = ("a", "b", "c")


def make_data(
    num_images: int, *, num_classes: int = 3, skill: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_images)
    logits = generator.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), labels] += skill
    return logits, labels


def all_intervals(found: Metrics) -> list[Interval]:
    per_class = [
        interval
        for item in found.per_class
        for interval in (item.precision, item.recall, item.f1, item.auroc)
    ]
    return [found.accuracy, found.balanced_accuracy, found.macro_f1, found.auroc, *per_class]


def test_estimates_agree_with_scikit_learn() -> None:
    logits, labels = make_data(300)
    found = measure(logits, labels, np.arange(300) // 4, class_names=NAMES)
    predictions = logits.argmax(axis=1)
    assert found.accuracy.estimate == pytest.approx(oracle.accuracy_score(labels, predictions))
    assert found.balanced_accuracy.estimate == pytest.approx(
        oracle.balanced_accuracy_score(labels, predictions)
    )
    assert found.macro_f1.estimate == pytest.approx(
        oracle.f1_score(labels, predictions, average="macro")
    )
    assert found.auroc.estimate == pytest.approx(
        oracle.roc_auc_score(labels, softmax(logits), multi_class="ovr")
    )
    assert np.array_equal(found.confusion, oracle.confusion_matrix(labels, predictions))


def test_class_figures_agree_with_scikit_learn() -> None:
    logits, labels = make_data(200)
    found = measure(logits, labels, np.arange(200), class_names=NAMES)
    precision, recall, f1, count = oracle.precision_recall_fscore_support(
        labels, logits.argmax(axis=1)
    )
    assert [item.precision.estimate for item in found.per_class] == pytest.approx(list(precision))
    assert [item.recall.estimate for item in found.per_class] == pytest.approx(list(recall))
    assert [item.f1.estimate for item in found.per_class] == pytest.approx(list(f1))
    assert [item.num_images for item in found.per_class] == list(count)


def test_macro_figures_agree_with_torchmetrics() -> None:
    logits, labels = make_data(150, num_classes=4)
    found = measure(logits, labels, np.arange(150), class_names=list("abcd"))
    prediction, target = torch.tensor(logits.argmax(axis=1)), torch.tensor(labels)
    recall = multiclass_accuracy(prediction, target, num_classes=4, average="macro")
    f1 = multiclass_f1_score(prediction, target, num_classes=4, average="macro")
    assert found.balanced_accuracy.estimate == pytest.approx(float(recall), abs=1e-6)
    assert found.macro_f1.estimate == pytest.approx(float(f1), abs=1e-6)


def test_tied_scores_count_half() -> None:
    # Positives 0, 1 against negatives 0, 0: (1/2 + 1/2 + 1 + 1) / 4.
    logits = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    found = measure(logits, [1, 1, 0, 0], np.arange(4), class_names=("a", "b"))
    assert found.auroc.estimate == pytest.approx((0.5 + 0.5 + 1 + 1) / 4)


def test_two_classes_share_one_auroc() -> None:
    logits, labels = make_data(80, num_classes=2)
    found = measure(logits, labels, np.arange(80), class_names=("a", "b"))
    first, second = (item.auroc.estimate for item in found.per_class)
    assert first == pytest.approx(second)


def test_intervals_are_near_a_bootstrap_written_as_a_loop() -> None:
    logits, labels = make_data(400, skill=1.0)
    groups = np.arange(400) // 8
    found = measure(logits, labels, groups, class_names=NAMES)
    generator = np.random.default_rng(5)
    predictions, probabilities = logits.argmax(axis=1), softmax(logits)
    f1, areas = [], []
    for _ in range(400):
        drawn = generator.integers(0, 50, 50)
        rows = np.concatenate([np.flatnonzero(groups == group) for group in drawn])
        f1.append(oracle.f1_score(labels[rows], predictions[rows], average="macro"))
        areas.append(oracle.roc_auc_score(labels[rows], probabilities[rows], multi_class="ovr"))
    low, high = np.quantile(f1, [0.025, 0.975])
    assert found.macro_f1.high - found.macro_f1.low == pytest.approx(high - low, rel=0.2)
    low, high = np.quantile(areas, [0.025, 0.975])
    assert found.auroc.high - found.auroc.low == pytest.approx(high - low, rel=0.2)


def test_delong_variance_agrees_with_its_definition() -> None:
    from foveal.evaluation.ranking import rank_area

    scores = np.array([0.9, 0.4, 0.7, 0.2, 0.4, 0.1, 0.6])
    positive = np.array([True, True, True, False, False, False, False])
    found = rank_area(scores, positive, np.arange(7))
    wins = scores[positive][:, None] - scores[~positive][None, :]
    kernel = (wins > 0) + 0.5 * (wins == 0)
    expected = kernel.mean(axis=1).var(ddof=1) / 3 + kernel.mean(axis=0).var(ddof=1) / 4
    assert found.area == pytest.approx(kernel.mean())
    assert (found.influence**2).sum() == pytest.approx(expected)


def test_repeating_every_image_in_its_group_changes_no_interval() -> None:
    logits, labels = make_data(150)
    single = measure(logits, labels, np.arange(150), class_names=NAMES)
    double = measure(
        np.repeat(logits, 2, 0), np.repeat(labels, 2), np.arange(300) // 2, class_names=NAMES
    )
    width = single.accuracy.high - single.accuracy.low
    assert double.accuracy.high - double.accuracy.low == pytest.approx(width, rel=0.1)
    assert double.auroc.low == pytest.approx(single.auroc.low, abs=1e-9)


def test_flawless_predictions_do_not_claim_certainty() -> None:
    labels = np.arange(90) % 3
    found = measure(10.0 * np.eye(3)[labels], labels, np.arange(90), class_names=NAMES)
    for interval in all_intervals(found):
        assert interval.estimate == 1.0
        assert 0.8 < interval.low < 0.99
        assert interval.high == 1.0


def test_balanced_accuracy_admits_a_rare_flawless_class() -> None:
    labels = np.array([0] * 200 + [1] * 5)
    logits = np.eye(2)[np.where(np.arange(205) < 40, 1 - labels, labels)]
    found = measure(logits, labels, np.arange(205), class_names=("a", "b"))
    # The rare recall may be as low as Wilson's 5 of 5, and weighs one half.
    rare_low = 1 / (1 + 1.96**2 / 5)
    assert found.balanced_accuracy.low <= found.balanced_accuracy.estimate - (1 - rare_low) / 2


def test_a_class_without_images_is_left_out() -> None:
    logits, labels = make_data(60)
    labels = np.where(labels == 2, 0, labels)
    found = measure(logits, labels, np.arange(60), class_names=NAMES)
    absent = found.per_class[2]
    assert (absent.num_images, absent.recall.estimate, absent.auroc.estimate) == (0, None, None)
    assert absent.precision.estimate == 0.0
    assert found.balanced_accuracy.estimate == pytest.approx(
        np.mean([item.recall.estimate for item in found.per_class[:2]])
    )


def test_a_class_neither_labelled_nor_predicted_is_undefined() -> None:
    logits, labels = make_data(60)
    logits[:, 2] = -50.0
    labels = labels % 2
    found = measure(logits, labels, np.arange(60), class_names=NAMES)
    assert found.per_class[2].f1 == Interval(None, None, None)
    assert found.per_class[2].precision == Interval(None, None, None)


def test_one_group_has_estimates_without_intervals() -> None:
    logits, labels = make_data(30)
    found = measure(logits, labels, np.zeros(30, int), class_names=NAMES)
    for interval in all_intervals(found):
        assert interval.estimate is not None
        assert (interval.low, interval.high) == (None, None)


def test_one_image_does_not_crash() -> None:
    found = measure([[1.0, 0.0]], [0], [7], class_names=("a", "b"))
    assert found.accuracy == Interval(1.0, None, None)
    assert found.auroc == Interval(None, None, None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 5), st.integers(1, 10))
def test_every_interval_holds_its_estimate(
    seed: int, num_images: int, num_classes: int, num_groups: int
) -> None:
    logits, labels = make_data(num_images, num_classes=num_classes, seed=seed)
    groups = np.random.default_rng(seed).integers(0, num_groups, num_images)
    found = measure(
        logits, labels, groups, class_names=["x"] * num_classes, seed=seed, num_resamples=60
    )
    for interval in all_intervals(found):
        if interval.low is not None:
            assert 0.0 <= interval.low <= interval.estimate <= interval.high <= 1.0


@settings(max_examples=15, deadline=None)
@given(st.permutations(list(range(24))))
def test_the_order_of_the_images_does_not_matter(order: list[int]) -> None:
    logits, labels = make_data(24)
    groups = np.arange(24) // 3
    first = measure(logits, labels, groups, class_names=NAMES, num_resamples=50)
    second = measure(
        logits[order], labels[order], groups[order], class_names=NAMES, num_resamples=50
    )
    assert first.accuracy == second.accuracy
    assert first.macro_f1 == second.macro_f1
    assert first.confusion == second.confusion
    assert first.auroc.low == pytest.approx(second.auroc.low)


def test_the_same_seed_gives_the_same_intervals() -> None:
    logits, labels = make_data(100)
    groups = np.arange(100) // 5
    first = measure(logits, labels, groups, class_names=NAMES, seed=4)
    assert first == measure(logits, labels, groups, class_names=NAMES, seed=4)


@pytest.mark.parametrize(
    ("logits", "labels", "groups", "names", "message"),
    [
        (np.zeros((3, 1)), [0, 0, 0], [0, 1, 2], ("a",), r"shape \(3, 1\), expected \[N, K\]"),
        (np.full((2, 2), np.nan), [0, 1], [0, 1], ("a", "b"), "not finite, first in row 0"),
        (np.zeros((2, 2)), [0, 2], [0, 1], ("a", "b"), "expected class indices from 0 to 1"),
        (np.zeros((2, 2)), [0], [0, 1], ("a", "b"), "expected 2 whole numbers, one an image"),
        (np.zeros((2, 2)), [0, 1], [0.5, 1.0], ("a", "b"), "groups: got shape .* type float64"),
        (np.zeros((2, 2)), [0, 1], [0, 1], ("a",), "class_names: got 1, expected 2"),
    ],
)
def test_wrong_shapes_are_named(logits, labels, groups, names, message) -> None:
    with pytest.raises(UsageError, match=message):
        measure(logits, labels, groups, class_names=names)


def test_the_baseline_is_the_commonest_class() -> None:
    labels = np.array([0] * 3 + [1] * 6 + [2])
    found = compare_with_baseline(np.eye(3)[labels], labels, np.arange(10), class_names=NAMES)
    assert (found.class_name, found.accuracy) == ("b", 6 / 10)
    assert found.gain.estimate == pytest.approx(10 / 10 - 6 / 10)


def test_always_answering_the_commonest_class_gains_nothing_for_sure() -> None:
    labels = np.array([0] * 30 + [1] * 20)
    found = compare_with_baseline(
        np.tile([1.0, 0.0], (50, 1)), labels, np.arange(50), class_names=("a", "b")
    )
    assert found.gain.low < 0.0 == found.gain.estimate < found.gain.high


def test_the_gain_is_no_surer_than_the_accuracy() -> None:
    # Ten groups alike, each with all classes, and one mistake among them.
    labels = np.tile([0, 1, 2], 40)
    groups = np.repeat(np.arange(10), 12)
    logits = np.eye(3)[labels]
    logits[0] = [0, 1, 0]
    accuracy = measure(logits, labels, groups, class_names=NAMES).accuracy
    found = compare_with_baseline(logits, labels, groups, class_names=NAMES)
    assert found.gain.low <= accuracy.low - found.accuracy


def test_nothing_gains_more_than_a_constant_answer_leaves() -> None:
    # Groups of one class each: the constant answer's own share varies with the draw.
    labels = np.repeat([0, 1, 2], 12)
    found = compare_with_baseline(
        np.eye(3)[labels], labels, np.repeat(np.arange(9), 4), class_names=NAMES
    )
    assert found.gain.high == pytest.approx(1 - 1 / 3)


def test_shuffled_labels_gain_nothing() -> None:
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([0, 1, 2], [170, 170, 160]))
    logits = generator.normal(size=(500, 3))
    found = compare_with_baseline(logits, labels, np.arange(500), class_names=NAMES)
    assert found.gain.low <= 0.0 <= found.gain.high


def test_the_gain_of_one_group_has_no_interval() -> None:
    logits, labels = make_data(20)
    found = compare_with_baseline(logits, labels, np.zeros(20, int), class_names=NAMES)
    assert (found.gain.low, found.gain.high) == (None, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_images", "num_groups", "skill"), [(100, 0, 1.5), (100, 0, 4.0), (400, 20, 1.5)]
)
def test_intervals_cover_the_truth(num_images: int, num_groups: int, skill: float) -> None:
    generator = np.random.default_rng(1)

    def draw(count: int, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        labels = generator.integers(0, 3, count)
        logits = generator.normal(size=(count, 3))
        members = np.arange(count)
        if groups:
            members = generator.integers(0, groups, count)
            shared = generator.normal(size=(groups, 3))[members]
            logits = np.sqrt(0.5) * logits + np.sqrt(0.5) * shared
        logits[np.arange(count), labels] += skill
        return logits, labels, members

    logits, labels, _ = draw(300_000, 15_000 if num_groups else 0)
    truth = (logits.argmax(axis=1) == labels).mean()
    area = oracle.roc_auc_score(labels, softmax(logits), multi_class="ovr")
    covered = np.zeros(4)
    for _ in range(250):
        found = measure(*draw(num_images, num_groups), class_names=NAMES, num_resamples=600)
        # Balanced classes with the same skill: all three figures have the same truth.
        covered += [
            found.accuracy.low <= truth <= found.accuracy.high,
            found.balanced_accuracy.low <= truth <= found.balanced_accuracy.high,
            found.macro_f1.low <= truth <= found.macro_f1.high,
            found.auroc.low <= area <= found.auroc.high,
        ]
    # Nominal 0.95; 0.89 leaves the grouped area's 0.92 two of its standard errors.
    assert (covered / 250 >= 0.89).all(), covered / 250
