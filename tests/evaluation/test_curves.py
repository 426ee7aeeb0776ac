"""ROC and precision-recall curves: scikit-learn's values at fixed places, and bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from foveal.evaluation import log_softmax, measure
from foveal.evaluation.curves import MAX_CURVES, POINTS, measure_curves


def make_data(
    seed: int, *, num_images: int = 250, classes: int = 3, coarse: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, num_images)
    logits = generator.normal(size=(num_images, classes))
    logits[np.arange(num_images), labels] += 1.0
    return (logits.round(0) if coarse else logits), labels


@given(st.integers(0, 300), st.booleans())
@settings(max_examples=20, deadline=None)
def test_curves_are_scikit_learns_at_the_places(seed: int, coarse: bool) -> None:
    logits, labels = make_data(seed, coarse=coarse)
    names = ("a", "b", "c")
    found = measure_curves(logits, labels, np.arange(250), class_names=names, num_resamples=20)
    scores = log_softmax(logits)
    for k, one in enumerate(found):
        fpr, tpr, _ = roc_curve(labels == k, scores[:, k], drop_intermediate=False)
        expected = [tpr[np.flatnonzero(fpr <= place + 1e-12)[-1]] for place in POINTS]
        assert one.roc.value == pytest.approx(expected, abs=1e-12)
        precision, recall, _ = precision_recall_curve(labels == k, scores[:, k])
        # Falling recall: the last entry is the artificial end at recall 0.
        precision, recall = precision[:-1], recall[:-1]
        expected = [precision[np.flatnonzero(recall >= place - 1e-12)[-1]] for place in POINTS]
        assert one.precision_recall.value == pytest.approx(expected, abs=1e-12)
        area = average_precision_score(labels == k, scores[:, k])
        assert one.average_precision.estimate == pytest.approx(area, abs=1e-12)
        area = roc_auc_score(labels == k, scores[:, k])
        assert one.auroc.estimate == pytest.approx(area, abs=1e-12)


def test_the_area_is_the_one_of_the_table_of_classes() -> None:
    logits, labels = make_data(1)
    groups = np.arange(250) // 4
    names = ("a", "b", "c")
    curves = measure_curves(logits, labels, groups, class_names=names, num_resamples=20)
    metrics = measure(logits, labels, groups, class_names=names, num_resamples=20)
    assert [one.auroc for one in curves] == [one.auroc for one in metrics.per_class]


def test_bands_hold_the_curve() -> None:
    logits, labels = make_data(2)
    groups = np.arange(250) // 5
    for one in measure_curves(logits, labels, groups, class_names=("a", "b", "c")):
        for curve in (one.roc, one.precision_recall):
            for value, low, high in zip(curve.value, curve.low, curve.high, strict=True):
                if low is not None and high is not None:
                    assert 0 <= low <= value <= high <= 1
        # Where every image is called so, the sensitivity is 1 in any sample.
        assert (one.roc.low[-1], one.roc.high[-1]) == (1.0, 1.0)


def test_groups_of_copies_widen_the_band() -> None:
    logits, labels = make_data(3, num_images=120)
    alone = measure_curves(logits, labels, np.arange(120), class_names=("a", "b", "c"))
    copies = [np.repeat(one, 5, axis=0) for one in (logits, labels, np.arange(120))]
    grouped = measure_curves(*copies, class_names=("a", "b", "c"))
    middle = POINTS.index(0.2)
    for first, second in zip(alone, grouped, strict=True):
        a, b = first.roc, second.roc
        assert a.value[middle] == b.value[middle]
        assert b.low[middle] == pytest.approx(a.low[middle], abs=0.04)
        assert b.high[middle] == pytest.approx(a.high[middle], abs=0.04)


def test_one_group_has_curves_and_no_band() -> None:
    logits, labels = make_data(4)
    found = measure_curves(logits, labels, np.zeros(250, int), class_names=("a", "b", "c"))
    assert found[0].roc.low == (None,) * len(POINTS)
    assert found[0].roc.value[-1] == 1.0


def test_a_class_without_images_has_no_curve() -> None:
    logits, labels = make_data(5)
    labels = np.where(labels == 1, 0, labels)
    found = measure_curves(logits, labels, np.arange(250), class_names=("a", "b", "c"))
    assert [one.name for one in found] == ["a", "c"]


def test_of_many_classes_the_weakest_have_curves() -> None:
    logits, labels = make_data(6, num_images=900, classes=MAX_CURVES + 6)
    names = [f"c{k}" for k in range(MAX_CURVES + 6)]
    found = measure_curves(logits, labels, np.arange(900), class_names=names, num_resamples=20)
    areas = measure(logits, labels, np.arange(900), class_names=names, num_resamples=20).per_class
    weakest = sorted(areas, key=lambda one: one.auroc.estimate or 0)[:MAX_CURVES]
    assert {one.name for one in found} == {one.name for one in weakest}


@pytest.mark.slow
def test_the_band_holds_the_true_sensitivity_as_often_as_promised() -> None:
    from scipy.stats import norm

    place, num_groups = POINTS.index(0.2), 60
    truth = float(norm.sf(norm.isf(0.2) - 1.5))
    held = 0
    generator = np.random.default_rng(0)
    for _ in range(150):
        groups = np.arange(300) % num_groups
        shared = generator.normal(size=num_groups)[groups]
        labels = (np.arange(300) // num_groups + groups) % 2
        score = 0.6 * shared + 0.8 * generator.normal(size=300) + 1.5 * labels
        logits = np.stack([-score, score], axis=1) / 2
        curve = measure_curves(logits, labels, groups, class_names=("a", "b"), num_resamples=400)[
            1
        ].roc
        low, high = curve.low[place], curve.high[place]
        assert low is not None
        assert high is not None
        held += low <= truth <= high
    assert 0.9 <= held / 150 <= 1.0
