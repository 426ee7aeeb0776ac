"""Net benefit: the formula by hand at every threshold, and its band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.evaluation import softmax
from foveal.evaluation.decision_curve import (
    THRESHOLDS,
    DecisionCurve,
    describe_decision_curve,
    measure_decision_curves,
)


def make_data(
    seed: int, *, num_images: int = 300, skill: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, num_images)
    logits = generator.normal(size=(num_images, 3))
    logits[np.arange(num_images), labels] += skill
    return softmax(logits), labels


@given(st.integers(0, 200))
@settings(max_examples=15, deadline=None)
def test_the_net_benefit_is_vickers_and_elkins(seed: int) -> None:
    values, labels = make_data(seed)
    if seed % 2:
        values = values.round(2)  # many lie exactly on a threshold
        values /= values.sum(axis=1, keepdims=True)
    curves = measure_decision_curves(values, labels, np.arange(300), class_names=("a", "b", "c"))
    for k, curve in enumerate(curves):
        for place, t in enumerate(THRESHOLDS):
            acted, positive = values[:, k] >= t, labels == k
            tp, fp = (acted & positive).sum(), (acted & ~positive).sum()
            expected = tp / 300 - fp / 300 * t / (1 - t)
            assert curve.net_benefit[place] == pytest.approx(expected, abs=1e-12)
            share = positive.mean()
            all_of_them = share - (1 - share) * t / (1 - t)
            assert curve.treat_all[place] == pytest.approx(all_of_them, abs=1e-12)
            low, high = curve.over_all_low[place], curve.over_all_high[place]
            assert low is not None
            assert high is not None
            assert low - 1e-12 <= expected - all_of_them <= high + 1e-12


def test_the_interval_is_that_of_a_clustered_mean() -> None:
    import statsmodels.api as sm
    from scipy.stats import t as student

    values, labels = make_data(1, num_images=600)
    groups = np.arange(600) // 3
    curve = measure_decision_curves(values, labels, groups, class_names=("a", "b", "c"))[0]
    place = THRESHOLDS.index(0.3)
    acted, positive = values[:, 0] >= 0.3, labels == 0
    each = (acted & positive) - (acted & ~positive) * 0.3 / 0.7
    fit = sm.OLS(each, np.ones(600)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    reach = student.ppf(0.975, 199) * fit.bse[0] * (200 / 199) ** 0.5
    assert curve.low[place] == pytest.approx(fit.params[0] - reach, abs=1e-12)
    assert curve.high[place] == pytest.approx(fit.params[0] + reach, abs=1e-12)


def test_where_nothing_is_acted_on_the_interval_is_not_a_point() -> None:
    values, labels = make_data(2, skill=0.2)
    curve = measure_decision_curves(values, labels, np.arange(300), class_names=("a", "b", "c"))[0]
    assert curve.net_benefit[-1] == 0.0
    assert curve.low[-1] is not None
    assert curve.low[-1] < 0.0 < (curve.high[-1] or 0.0)


def test_one_group_has_a_curve_and_no_band() -> None:
    values, labels = make_data(3)
    curve = measure_decision_curves(values, labels, np.zeros(300, int), class_names="abc")[0]
    assert curve.low == (None,) * len(THRESHOLDS)
    assert "nothing can be said" in describe_decision_curve(curve)


def test_a_class_without_images_has_no_curve() -> None:
    values, labels = make_data(4)
    labels = np.where(labels == 0, 1, labels)
    found = measure_decision_curves(values, labels, np.arange(300), class_names="abc")
    assert [one.name for one in found] == ["b", "c"]


def test_a_good_classifier_is_useful_and_a_blind_one_is_not() -> None:
    values, labels = make_data(5, num_images=900, skill=3.0)
    good = measure_decision_curves(values, labels, np.arange(900), class_names="abc")[0]
    assert "is worth more than acting on all images or on none" in describe_decision_curve(good)
    generator = np.random.default_rng(0)
    blind = measure_decision_curves(
        softmax(generator.normal(size=(900, 3))), labels, np.arange(900), class_names="abc"
    )[0]
    assert blind.useful() == ()
    assert "at no threshold" in describe_decision_curve(blind)
    assert "worth less" in describe_decision_curve(blind)


def test_ranges_are_runs_of_thresholds() -> None:
    low = (0.1, 0.1, -0.1, 0.1)
    curve = DecisionCurve(
        "a", 0.5, (0.1, 0.2, 0.3, 0.4), low, low, (1.0,) * 4, (0.0,) * 4, (0.2,) * 4, (0.3,) * 4
    )
    assert curve.useful() == ((0.1, 0.2), (0.4, 0.4))
    assert curve.harmful() == ()


@pytest.mark.slow
def test_the_band_holds_the_true_net_benefit_as_often_as_promised() -> None:
    from scipy.stats import norm

    # Scores are normal; the probability is the true one, so thresholds are places on the score.
    place, t = THRESHOLDS.index(0.4), 0.4
    cut = (np.log(t / (1 - t)) + 1.5**2 / 2) / 1.5
    truth = 0.5 * norm.sf(cut - 1.5) - 0.5 * norm.sf(cut) * t / (1 - t)
    generator, held = np.random.default_rng(0), 0
    for _ in range(200):
        labels = generator.integers(0, 2, 200)
        score = generator.normal(size=200) + 1.5 * labels
        p = 1 / (1 + np.exp(-(1.5 * score - 1.5**2 / 2)))
        curve = measure_decision_curves(
            np.stack([1 - p, p], axis=1), labels, np.arange(200), class_names="ab"
        )[1]
        low, high = curve.low[place], curve.high[place]
        assert low is not None
        assert high is not None
        held += low <= truth <= high
    assert 0.91 <= held / 200 <= 0.99
