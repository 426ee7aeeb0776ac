from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle
from statsmodels.stats.contingency_tables import mcnemar

from foveal.errors import UsageError
from foveal.evaluation import Answered, Interval, compare_answers, detectable_difference
from foveal.evaluation.comparison import Comparison, judge_margin

NAMES = ("a", "b", "c")


def make_pair(
    num_images: int = 240,
    *,
    num_classes: int = 3,
    skills: tuple[float, float] = (1.6, 1.2),
    shared: float = 0.7,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and scores of two ways of answering that share some of their noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, num_classes, num_images)
    common = random.normal(size=(num_images, num_classes))
    both = []
    for skill in skills:
        own = random.normal(size=(num_images, num_classes))
        scores = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
        scores[np.arange(num_images), labels] += skill
        both.append(scores)
    return labels, both[0], both[1]


def answered(scores: np.ndarray) -> Answered:
    return Answered(scores.argmax(axis=1), scores)


def compare(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, **more: object
) -> Comparison:
    groups = more.pop("groups", np.arange(len(labels)))
    names = more.pop("class_names", NAMES)
    return compare_answers(
        answered(first),
        answered(second),
        labels,
        groups,
        class_names=names,
        **more,  # type: ignore[arg-type]
    )


def delong_by_pairs(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, float]:
    """Difference of two areas and its variance, from every pair of images, as in the paper."""

    def kernel(scores: np.ndarray) -> np.ndarray:
        above, below = scores[labels], scores[~labels]
        return (above[:, None] > below) + 0.5 * (above[:, None] == below)

    one, other = kernel(first), kernel(second)
    num_above, num_below = one.shape
    s10 = np.cov(np.stack([one.mean(axis=1), other.mean(axis=1)]))
    s01 = np.cov(np.stack([one.mean(axis=0), other.mean(axis=0)]))
    contrast = np.array([1.0, -1.0])
    variance = contrast @ (s10 / num_above + s01 / num_below) @ contrast
    return float(one.mean() - other.mean()), float(variance)


def test_estimates_are_those_of_scikit_learn() -> None:
    labels, first, second = make_pair()
    found = compare(labels, first, second)
    one, other = first.argmax(axis=1), second.argmax(axis=1)
    for figure, score in (
        (found.accuracy, oracle.accuracy_score),
        (found.balanced_accuracy, oracle.balanced_accuracy_score),
    ):
        assert figure.first == pytest.approx(score(labels, one), abs=1e-12)
        assert figure.difference.estimate == pytest.approx(
            score(labels, one) - score(labels, other), abs=1e-12
        )
    for k, item in enumerate(found.per_class):
        truth = labels == k
        assert item.sensitivity.difference.estimate == pytest.approx(
            oracle.recall_score(truth, one == k) - oracle.recall_score(truth, other == k), abs=1e-12
        )
        assert item.specificity.difference.estimate == pytest.approx(
            oracle.recall_score(~truth, one != k) - oracle.recall_score(~truth, other != k),
            abs=1e-12,
        )
        assert item.auroc.difference.estimate == pytest.approx(
            oracle.roc_auc_score(truth, first[:, k]) - oracle.roc_auc_score(truth, second[:, k]),
            abs=1e-12,
        )


@pytest.mark.parametrize("decimals", [12, 0])
def test_delong_is_that_of_every_pair_of_images(decimals: int) -> None:
    labels, first, second = make_pair(90, seed=3)
    first, second = first.round(decimals), second.round(decimals)
    found = compare(labels, first, second)
    for k, item in enumerate(found.per_class):
        difference, variance = delong_by_pairs(labels == k, first[:, k], second[:, k])
        reach = stats.norm.ppf(0.975) * math.sqrt(variance)
        assert item.delong.difference.estimate == pytest.approx(difference, abs=1e-12)
        assert item.delong.difference.low == pytest.approx(difference - reach, abs=1e-12)
        assert item.delong.p_value == pytest.approx(
            2 * stats.norm.sf(abs(difference) / math.sqrt(variance)), abs=1e-12
        )


def test_without_groups_the_interval_of_the_areas_is_delongs_with_students_t() -> None:
    labels, first, second = make_pair(120, seed=4)
    item = compare(labels, first, second).per_class[0]
    difference, variance = delong_by_pairs(labels == 0, first[:, 0], second[:, 0])
    fewer = min((labels == 0).sum(), (labels != 0).sum())
    reach = stats.t.ppf(0.975, fewer - 1) * math.sqrt(variance)
    assert item.auroc.difference.low == pytest.approx(difference - reach, abs=1e-12)
    assert item.auroc.difference.high == pytest.approx(difference + reach, abs=1e-12)


def test_mcnemar_is_that_of_statsmodels() -> None:
    labels, first, second = make_pair(seed=5)
    found = compare(labels, first, second).mcnemar
    table = [[found.num_both, found.num_first], [found.num_second, found.num_neither]]
    assert found.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-12)
    right, other = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    assert found.num_first == int((right & ~other).sum())
    assert sum(itertools.chain(*table)) == len(labels)


def test_the_bootstrap_of_a_sensitivity_is_that_of_drawing_groups_by_hand() -> None:
    labels, first, second = make_pair(600, num_classes=2, seed=6)
    groups = np.arange(600) // 4
    found = compare(labels, first, second, groups=groups, class_names=("a", "b"))
    right, other = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(3000):
        rows = (random.integers(0, 150, 150)[:, None] * 4 + np.arange(4)).ravel()
        rows = rows[labels[rows] == 1]
        drawn.append(right[rows].mean() - other[rows].mean())
    interval = found.per_class[1].sensitivity.difference
    assert interval.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.01)
    assert interval.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.01)


def test_what_the_two_share_narrows_the_interval() -> None:
    widths = []
    for shared in (0.0, 0.95):
        difference = compare(*make_pair(1000, shared=shared, seed=7)).accuracy.difference
        widths.append((difference.high or 0) - (difference.low or 0))
    assert widths[1] < 0.6 * widths[0]


def test_copies_of_images_in_groups_do_not_make_it_surer() -> None:
    labels, first, second = make_pair(400, seed=8)
    once = compare(labels, first, second)
    tenfold = [np.repeat(one, 10, axis=0) for one in (labels, first, second)]
    grouped = compare(*tenfold, groups=np.repeat(np.arange(400), 10))
    naive = compare(*tenfold)
    for name in ("accuracy", "balanced_accuracy", "auroc"):
        widths = [
            getattr(one, name).difference.high - getattr(one, name).difference.low
            for one in (once, grouped, naive)
        ]
        assert widths[1] == pytest.approx(widths[0], rel=0.12)
        assert widths[2] < 0.5 * widths[0]


@pytest.mark.parametrize(("figure", "share"), [("accuracy", 0.93), ("auroc", 0.93)])
def test_ninety_five_of_a_hundred_intervals_hold_the_true_difference(
    figure: str, share: float
) -> None:
    labels, first, second = make_pair(200_000, num_classes=2, seed=9)
    names = ("a", "b")
    truth = {
        "accuracy": (first.argmax(1) == labels).mean() - (second.argmax(1) == labels).mean(),
        "auroc": oracle.roc_auc_score(labels, first[:, 1] - first[:, 0])
        - oracle.roc_auc_score(labels, second[:, 1] - second[:, 0]),
    }[figure]
    held = []
    for seed in range(120):
        labels, first, second = make_pair(160, num_classes=2, seed=100 + seed)
        first, second = ((one - one.mean(axis=1, keepdims=True)) for one in (first, second))
        found = compare(labels, first, second, class_names=names, num_resamples=400)
        interval = getattr(found, figure).difference
        held.append(interval.low <= truth <= interval.high)
    # 95% of 120 is 114, with a standard deviation of 2.4.
    assert share - 0.03 <= np.mean(held)


@settings(max_examples=40)
@given(
    st.integers(2, 60), st.integers(2, 4), st.integers(1, 12), st.integers(0, 10_000), st.booleans()
)
def test_every_figure_is_possible_and_turns_with_the_sides(
    num_images: int, num_classes: int, num_groups: int, seed: int, is_coarse: bool
) -> None:
    labels, first, second = make_pair(num_images, num_classes=num_classes, seed=seed)
    if is_coarse:
        first, second = first.round(), second.round()
    groups = np.random.default_rng(seed).integers(0, num_groups, num_images)
    more = {"groups": groups, "class_names": tuple("abcd"[:num_classes]), "num_resamples": 200}
    found, turned = compare(labels, first, second, **more), compare(labels, second, first, **more)
    pairs = [
        (found.accuracy, turned.accuracy),
        (found.balanced_accuracy, turned.balanced_accuracy),
        (found.auroc, turned.auroc),
    ]
    for one, other in zip(found.per_class, turned.per_class, strict=True):
        pairs += [
            (one.sensitivity, other.sensitivity),
            (one.specificity, other.specificity),
            (one.auroc, other.auroc),
        ]
    for one, other in pairs:
        interval = one.difference
        assert (interval.estimate is None) == (one.first is None)
        if interval.estimate is None:
            assert one.reason
            continue
        assert one.first - one.second == pytest.approx(interval.estimate, abs=1e-12)
        assert other.difference.estimate == pytest.approx(-interval.estimate, abs=1e-12)
        if interval.low is None:
            assert one.reason
            assert one.detectable is None
        else:
            assert -1.0 <= interval.low <= interval.estimate <= interval.high <= 1.0


def test_the_same_answers_leave_room_for_a_difference_that_was_not_seen() -> None:
    labels, first, _ = make_pair(60)
    found = compare(labels, first, first)
    for one in (found.accuracy, found.balanced_accuracy, found.auroc):
        assert one.difference.estimate == 0.0
        assert one.difference.low < -0.01
        assert one.difference.high > 0.01
    assert found.mcnemar.p_value == 1.0
    assert found.delong.p_value is None


def test_one_group_has_figures_and_no_interval() -> None:
    labels, first, second = make_pair(40)
    found = compare(labels, first, second, groups=np.zeros(40, int), margin=0.02)
    assert found.accuracy.difference.low is None
    assert found.accuracy.reason == "One group alone gives no interval."
    assert found.margin is not None
    assert found.margin.verdict == "unavailable"


def test_an_answer_that_is_no_class_is_wrong() -> None:
    labels = np.array([0, 1, 0, 1])
    first = Answered(np.array([0, 1, 0, 1]))
    second = Answered(np.array([-1, 1, -1, 1]))
    found = compare_answers(first, second, labels, np.arange(4), class_names=("a", "b"))
    assert found.accuracy.second == 0.5
    assert found.per_class[0].sensitivity.second == 0.0
    # Neither of its answers calls an image of another class "a" or "b".
    assert [one.specificity.second for one in found.per_class] == [1.0, 1.0]
    assert found.auroc.reason is not None
    assert "no probabilities" in found.auroc.reason


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (Interval(0.01, -0.019, 0.03), "not worse"),
        (Interval(0.01, -0.02, 0.03), "not shown"),
        (Interval(-0.05, -0.07, -0.021), "worse"),
        (Interval(-0.05, -0.07, -0.01), "not shown"),
        (Interval(0.0, None, None), "unavailable"),
    ],
)
def test_a_margin_is_judged_by_the_whole_interval(interval: Interval, verdict: str) -> None:
    assert judge_margin(interval, margin=0.02) == verdict


def test_a_detectable_difference_is_seen_four_times_in_five() -> None:
    deviation, size = 1.0, 400
    half = stats.t.ppf(0.975, size - 1) * deviation / math.sqrt(size)
    found = detectable_difference(Interval(0.0, -half, half), num_groups=size)
    assert found is not None
    power = stats.norm.sf(stats.norm.ppf(0.975) - found * math.sqrt(size) / deviation)
    assert power == pytest.approx(0.8, abs=0.003)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, math.nan, 2])
def test_a_margin_that_is_no_share_is_refused(margin: float) -> None:
    labels, first, second = make_pair(20)
    with pytest.raises(UsageError, match=r"margin: got .* expected a number above 0 and below 1"):
        compare(labels, first, second, margin=margin)
