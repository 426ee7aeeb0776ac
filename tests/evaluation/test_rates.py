"""Sensitivity, specificity, PPV and NPV, also at another prevalence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from foveal.errors import UsageError
from foveal.evaluation import Interval
from foveal.evaluation.rates import rates_by_class, rates_of, share_of_ratio


def make_answers(
    seed: int, *, num_images: int = 300, num_groups: int = 40
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, num_groups, num_images)
    groups = np.unique(groups, return_inverse=True)[1]
    truth = generator.random(num_images) < 0.3
    answers = np.where(generator.random(num_images) < 0.85, truth, ~truth)
    return answers, truth, groups


def test_the_rates_of_each_class_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(0, 3, (2, 400))
    found = rates_by_class(labels, predictions, np.arange(400), num_classes=3)
    for k, one in enumerate(found):
        yes, truth = predictions == k, labels == k
        tn, fp, fn, tp = confusion_matrix(truth, yes).ravel().tolist()
        counts = one.num_true_negatives, one.num_false_positives
        assert (*counts, one.num_false_negatives, one.num_true_positives) == (tn, fp, fn, tp)
        assert one.sensitivity.estimate == pytest.approx(recall_score(truth, yes), abs=1e-12)
        assert one.specificity.estimate == pytest.approx(recall_score(~truth, ~yes), abs=1e-12)
        assert one.ppv.estimate == pytest.approx(precision_score(truth, yes), abs=1e-12)
        assert one.npv.estimate == pytest.approx(precision_score(~truth, ~yes), abs=1e-12)


def test_one_against_the_rest_is_the_same_as_the_class_among_all() -> None:
    answers, truth, groups = make_answers(1)
    alone, _ = rates_of(answers, truth, groups)
    among = rates_by_class(truth.astype(int), answers.astype(int), groups, num_classes=2)[1]
    assert alone.num_true_positives == among.num_true_positives
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        first, second = getattr(alone, name), getattr(among, name)
        assert first.estimate == second.estimate
        # The same bootstrap over another table: the draws differ, the intervals hardly.
        assert first.low == pytest.approx(second.low, abs=0.02)


def test_without_a_mistake_the_interval_is_wilsons() -> None:
    truth = np.arange(60) < 20
    found, _ = rates_of(truth, truth, np.arange(60))
    low, high = proportion_confint(20, 20, method="wilson")
    assert found.sensitivity.estimate == 1.0
    assert found.sensitivity.low == pytest.approx(low, abs=1e-12)
    assert found.sensitivity.high == pytest.approx(high, abs=1e-12)


def test_a_class_that_is_never_answered_has_no_ppv() -> None:
    truth = np.arange(40) < 10
    found, elsewhere = rates_of(np.zeros(40, bool), truth, np.arange(40), prevalence=0.1)
    assert found.ppv == Interval(None, None, None)
    assert found.sensitivity.estimate == 0.0
    assert elsewhere is not None
    assert elsewhere.ppv == Interval(None, None, None)


def test_one_group_has_rates_and_no_interval() -> None:
    answers, truth, _ = make_answers(2)
    found, _ = rates_of(answers, truth, np.zeros(len(truth), int))
    assert found.sensitivity.estimate is not None
    assert found.sensitivity.low is None


@given(st.integers(0, 100), st.floats(0.001, 0.999))
@settings(max_examples=25, deadline=None)
def test_ppv_elsewhere_follows_bayes(seed: int, prevalence: float) -> None:
    answers, truth, groups = make_answers(seed)
    rates, found = rates_of(answers, truth, groups, prevalence=prevalence, num_resamples=200)
    se, sp = rates.sensitivity.estimate, rates.specificity.estimate
    assert found is not None
    assert se is not None
    assert sp is not None
    ppv = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    npv = sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence)
    assert found.ppv.estimate == pytest.approx(ppv, abs=1e-12)
    assert found.npv.estimate == pytest.approx(npv, abs=1e-12)
    for one in (found.ppv, found.npv):
        assert one.low is not None
        assert one.high is not None
        assert one.estimate is not None
        assert 0 <= one.low <= one.estimate <= one.high <= 1


def test_at_their_own_prevalence_ppv_and_npv_are_those_of_the_images() -> None:
    answers, truth, groups = make_answers(3)
    rates, found = rates_of(answers, truth, groups, prevalence=float(truth.mean()))
    assert found is not None
    assert found.ppv.estimate == pytest.approx(rates.ppv.estimate, abs=1e-12)
    assert found.npv.estimate == pytest.approx(rates.npv.estimate, abs=1e-12)


def test_no_false_alarm_leaves_the_ppv_elsewhere_an_honest_lower_end() -> None:
    truth = np.arange(100) < 30
    _, found = rates_of(truth, truth, np.arange(100), prevalence=0.01)
    assert found is not None
    assert found.ppv.estimate == 1.0
    # 70 images without a false alarm allow a rate of 5.2%: at 1% most alarms may be false.
    assert found.ppv.low is not None
    assert found.ppv.low < 0.2


def test_a_ratio_of_proportions_has_the_ends_of_the_formula() -> None:
    first, second = Interval(0.8, 0.7, 0.88), Interval(0.1, 0.05, 0.18)
    found = share_of_ratio(first, second, weight=1.0)
    product, low_part = 0.08, 0.7 * 0.18 * (1.6 - 0.7) * (0.2 - 0.18)
    low = (product - (product**2 - low_part) ** 0.5) / (0.18 * (0.2 - 0.18))
    high_part = 0.88 * 0.05 * (1.6 - 0.88) * (0.2 - 0.05)
    high = (product + (product**2 - high_part) ** 0.5) / (0.05 * (0.2 - 0.05))
    assert found.low == pytest.approx(low / (1 + low), abs=1e-12)
    assert found.high == pytest.approx(high / (1 + high), abs=1e-12)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_prevalence_that_cannot_be_is_refused(prevalence: float) -> None:
    answers, truth, groups = make_answers(0)
    with pytest.raises(UsageError, match=r"prevalence: got .*, expected a share between 0 and 1"):
        rates_of(answers, truth, groups, prevalence=prevalence)
