"""Operating points: chosen by some folds, judged on the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from foveal.evaluation import softmax
from foveal.evaluation.calibration import fit_temperature
from foveal.evaluation.operating import ChosenPoint, assess_operating_point, choose_operating_point
from foveal.evaluation.operating_cut import choose_cut
from foveal.evaluation.operating_point import OperatingPoint, decide
from foveal.evaluation.operating_rule import read_costs, read_rule
from foveal.evaluation.operating_wording import describe_chosen, describe_point

NAMES = ("a", "b", "c")


def choose(
    logits: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: np.ndarray, rule: str
) -> ChosenPoint:
    """The operating point of a rule, for the classes of these tests."""
    return choose_operating_point(
        logits, labels, groups, folds, rule=read_rule(rule), class_names=NAMES, temperature=1.0
    )


def make_data(
    seed: int = 0,
    *,
    num_images: int = 400,
    num_groups: int = 50,
    skill: float = 1.5,
    classes: int = 3,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, num_groups, num_images)
    labels = generator.integers(0, 3, num_images)
    logits = generator.normal(size=(num_images, 3))
    logits[np.arange(num_images), labels] += skill
    return logits, labels, groups, groups % 5


def by_hand(scores: np.ndarray, positive: np.ndarray, threshold: float) -> dict[str, float]:
    yes = scores >= threshold
    tp, fp = int((yes & positive).sum()), int((yes & ~positive).sum())
    fn, tn = int((~yes & positive).sum()), int((~yes & ~positive).sum())
    return {
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "ppv": tp / (tp + fp) if tp + fp else np.nan,
        "npv": tn / (tn + fn) if tn + fn else np.nan,
    }


@given(
    st.sampled_from(["sensitivity", "specificity", "ppv", "npv"]),
    st.floats(0.05, 1.0),
    st.integers(0, 1000),
    st.integers(2, 12),
)
@settings(max_examples=80, deadline=None)
def test_a_cut_is_the_best_that_a_search_by_hand_finds(
    measure: str, target: float, seed: int, levels: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(1, levels + 1, 40) / (levels + 1)
    positive = generator.random(40) < 0.4
    if not 0 < positive.sum() < 40:
        return
    found = choose_cut(scores, positive, read_rule(f"{measure}>={target!r} for x"))
    assert found is not None
    told = {t: by_hand(scores, positive, t) for t in np.unique(scores)}
    target = read_rule(f"{measure}>={target!r} for x").target
    able = [t for t, one in told.items() if one[measure] >= target]
    assert found.is_reached == bool(able)
    at = by_hand(scores, positive, found.threshold)
    if able:
        best = max(able) if measure in ("sensitivity", "npv") else min(able)
        assert at == told[best]
    else:
        best_value = max(one[measure] for one in told.values() if not np.isnan(one[measure]))
        assert found.value == at[measure] == best_value


def test_a_cut_for_a_sensitivity_is_that_of_scikit_learns_curve() -> None:
    logits, labels, _, _ = make_data()
    scores, positive = softmax(logits)[:, 0], labels == 0
    found = choose_cut(scores, positive, read_rule("sensitivity>=0.9 for a"))
    fpr, tpr, _ = roc_curve(positive, scores, drop_intermediate=False)
    first = int((tpr < 0.9).sum())
    assert found is not None
    at = by_hand(scores, positive, found.threshold)
    assert at["sensitivity"] == pytest.approx(tpr[first], abs=1e-12)
    assert 1 - at["specificity"] == pytest.approx(fpr[first], abs=1e-12)


def test_a_cut_lies_between_two_scores() -> None:
    scores, positive = np.array([0.9, 0.6, 0.2]), np.array([True, True, False])
    found = choose_cut(scores, positive, read_rule("sensitivity>=1 for x"))
    assert found is not None
    assert found.threshold == (0.6 + 0.2) / 2


@given(st.floats(0, 20), st.floats(0, 20), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_cut_is_what_a_search_by_hand_finds(
    missed: float, false: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores, positive = generator.random(30).round(1), generator.random(30) < 0.4
    if missed + false == 0 or not 0 < positive.sum() < 30:
        return
    rule = read_costs(f"missed={missed!r},false={false!r} for x")
    found = choose_cut(scores, positive, rule)

    def cost(threshold: float) -> float:
        yes = scores >= threshold
        return float((missed * (positive & ~yes) + false * (yes & ~positive)).mean())

    assert found is not None
    cheapest = min(cost(t) for t in (*np.unique(scores), 2.0))
    assert found.value == pytest.approx(cheapest, abs=1e-12)
    assert cost(found.threshold) == pytest.approx(cheapest, abs=1e-12)


def test_each_fold_is_judged_at_the_threshold_of_the_others() -> None:
    logits, labels, groups, folds = make_data()
    rule = read_rule("sensitivity>=0.9 for b")
    temperature = fit_temperature(logits, labels)
    found = choose_operating_point(
        logits, labels, groups, folds, rule=rule, class_names=NAMES, temperature=temperature
    )
    answers = np.empty(len(labels), int)
    for fold in range(5):
        rest, own = folds != fold, folds == fold
        scale = fit_temperature(logits[rest], labels[rest])
        cut = choose_cut(softmax(logits[rest] / scale)[:, 1], labels[rest] == 1, rule)
        assert cut is not None
        assert found.fold_thresholds[fold] == pytest.approx(cut.threshold, abs=1e-12)
        p = softmax(logits[own] / scale)
        others = np.where(p[:, 0] >= p[:, 2], 0, 2)
        answers[own] = np.where(p[:, 1] >= cut.threshold, 1, others)
    assert found.rates is not None
    assert found.accuracy is not None
    is_b, said_b = labels == 1, answers == 1
    assert found.rates.sensitivity.estimate == pytest.approx(said_b[is_b].mean(), abs=1e-12)
    assert found.rates.specificity.estimate == pytest.approx((~said_b)[~is_b].mean(), abs=1e-12)
    assert found.accuracy.estimate == pytest.approx((answers == labels).mean(), abs=1e-12)
    everything = choose_cut(softmax(logits / temperature)[:, 1], is_b, rule)
    assert found.point is not None
    assert everything is not None
    assert found.point.threshold == pytest.approx(everything.threshold, abs=1e-12)


def test_the_promise_is_kept_on_average_where_it_was_not_chosen() -> None:
    seen = []
    for seed in range(60):
        logits, labels, groups, folds = make_data(seed, num_images=300, num_groups=300)
        found = choose_operating_point(
            logits,
            labels,
            groups,
            folds,
            rule=read_rule("sensitivity>=0.9 for a"),
            class_names=NAMES,
            temperature=1.0,
            num_resamples=20,
        )
        assert found.rates is not None
        seen.append(found.rates.sensitivity.estimate)
    assert abs(float(np.mean(seen)) - 0.9) < 0.012


def test_costs_are_told_by_image_and_against_the_likeliest_class() -> None:
    logits, labels, groups, folds = make_data(2)
    rule = read_costs("missed=10,false=1 for a")
    found = choose_operating_point(
        logits, labels, groups, folds, rule=rule, class_names=NAMES, temperature=1.0
    )
    assert found.cost is not None
    assert found.rates is not None
    total = len(labels)
    cost = (10 * found.rates.num_false_negatives + found.rates.num_false_positives) / total
    likeliest = logits.argmax(1)
    plain = (10 * ((labels == 0) & (likeliest != 0)) + ((labels != 0) & (likeliest == 0))).mean()
    assert found.cost.per_image == pytest.approx(cost, abs=1e-12)
    assert found.cost.saved == pytest.approx(plain - cost, abs=1e-12)
    assert found.cost.saved_low is not None
    assert found.cost.saved_low > 0
    assert "less than that of the likeliest class" in describe_chosen(found)


@pytest.mark.parametrize("measure", ["ppv", "specificity", "npv"])
def test_a_point_that_cannot_be_reached_says_the_nearest_that_can(measure: str) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    # Scores say the reverse of the truth at both ends, so that no threshold is perfect.
    scores = generator.random(200)
    scores[labels == 0] += 0.5
    logits = np.stack([-scores, scores], axis=1)
    found = choose_operating_point(
        logits,
        labels,
        np.arange(200),
        np.arange(200) % 5,
        rule=read_rule(f"{measure}>=0.999 for b"),
        class_names=("a", "b"),
        temperature=1.0,
    )
    assert found.point is None
    assert found.rates is None
    p = softmax(logits)[:, 1]
    told = [by_hand(p, labels == 1, t)[measure] for t in np.unique(p)]
    nearest = np.nanmax(told)
    assert nearest < 0.999
    assert f"the nearest is {100 * nearest:.4g}%" in describe_chosen(found)
    assert f'--operate "{measure}>=' in describe_chosen(found)


def test_the_nearest_that_is_told_can_be_asked_for() -> None:
    logits, labels, groups, folds = make_data(3, skill=0.3)
    arguments = {"class_names": NAMES, "temperature": 1.0}
    first = choose_operating_point(
        logits, labels, groups, folds, rule=read_rule("npv>=1 for a"), **arguments
    )
    if first.point is None:
        again = (first.reason or "").rpartition('--operate "')[2].rstrip('".')
        second = choose_operating_point(
            logits, labels, groups, folds, rule=read_rule(again), **arguments
        )
        assert second.point is not None


def test_a_class_that_lies_in_one_fold_alone_is_not_judged_but_has_a_threshold() -> None:
    logits, labels, groups, _ = make_data(4, num_groups=400)
    folds = np.where(labels == 0, 0, np.arange(len(labels)) % 5)
    found = choose(logits, labels, groups, folds, "sensitivity>=0.9 for a")
    assert found.point is not None
    assert found.rates is None
    assert "lie in one fold alone" in describe_chosen(found)


def test_a_fold_without_the_class_changes_nothing_for_the_others() -> None:
    logits, labels, groups, _ = make_data(5, num_groups=400)
    folds = np.where(labels == 0, np.arange(len(labels)) % 4, np.arange(len(labels)) % 5)
    found = choose(logits, labels, groups, folds, "sensitivity>=0.9 for a")
    assert found.rates is not None
    assert found.rates.num_true_positives + found.rates.num_false_negatives == (labels == 0).sum()


def test_one_group_has_a_threshold_that_was_not_judged() -> None:
    logits, labels, _, _ = make_data(6)
    nothing = np.zeros(len(labels), int)
    found = choose(logits, labels, nothing, nothing, "sensitivity>=0.9 for a")
    assert found.point is not None
    assert found.rates is None
    assert "one group" in describe_chosen(found)


def test_a_class_without_judged_images_has_no_threshold() -> None:
    logits, labels, groups, folds = make_data(7)
    labels = np.where(labels == 0, 1, labels)
    found = choose(logits, labels, groups, folds, "sensitivity>=0.9 for a")
    assert found.point is None
    assert describe_chosen(found) == "No image of 'a' was judged."


def test_labels_follow_the_point_and_below_it_the_likeliest_of_the_others() -> None:
    point = OperatingPoint("b", 1, 0.2, "sensitivity>=0.95 for b")
    found = decide([[0.7, 0.2, 0.1], [0.1, 0.19, 0.71], [0.5, 0.1, 0.4], [0.1, 0.8, 0.1]], point)
    assert found.tolist() == [1, 2, 0, 1]
    above = OperatingPoint("b", 1, 0.9, "specificity>=0.95 for b")
    assert decide([[0.1, 0.8, 0.1]], above).tolist() == [0]


def test_without_a_point_the_likeliest_class_is_the_label() -> None:
    logits, *_ = make_data(8)
    assert (decide(softmax(logits), None) == logits.argmax(1)).all()


def test_a_given_point_is_judged_as_it_is() -> None:
    logits, labels, groups, _ = make_data(9)
    point = OperatingPoint("a", 0, 0.4, "sensitivity>=0.9 for a")
    p = softmax(logits)
    found = assess_operating_point(
        p, labels, groups, point=point, rule=read_rule(point.rule), prevalence=0.1
    )
    yes = p[:, 0] >= 0.4
    assert found.rates is not None
    assert found.at_prevalence is not None
    assert found.rates.num_true_positives == (yes & (labels == 0)).sum()
    assert found.point == point


def test_words_follow_the_interval() -> None:
    logits, labels, groups, _ = make_data(10, num_images=900, num_groups=900)
    p = softmax(logits)

    def told(target: float) -> str:
        point = OperatingPoint("a", 0, 0.1, f"sensitivity>={target} for a")
        judged = assess_operating_point(p, labels, groups, point=point, rule=read_rule(point.rule))
        return describe_chosen(judged)

    assert "that was asked for is kept" in told(0.5)
    assert "That is less than the sensitivity of 100.0%" in told(1.0)
    seen = float((p[:, 0] >= 0.1)[labels == 0].mean())
    assert "is not shown" in told(round(seen, 3))


def test_what_the_label_becomes_below_the_threshold_is_said() -> None:
    told = describe_point(OperatingPoint("b", 1, 0.2, "missed=10,false=1 for b"))
    assert "Below it, the label is the likeliest of the other classes." in told


@pytest.mark.slow
def test_the_intervals_hold_for_the_threshold_that_new_images_get() -> None:
    from scipy.stats import norm

    generator, held = np.random.default_rng(2), np.zeros(2)
    for _ in range(200):
        labels = (generator.random(300) < 0.3).astype(int)
        score = generator.normal(size=300) + 2.0 * labels - 1.0
        found = choose_operating_point(
            np.stack([-score, score], axis=1) / 2,
            labels,
            np.arange(300),
            np.arange(300) % 5,
            rule=read_rule("sensitivity>=0.97 for b"),
            class_names=("a", "b"),
            temperature=1.0,
            num_resamples=200,
        )
        assert found.point is not None
        assert found.rates is not None
        cut = np.log(found.point.threshold / (1 - found.point.threshold))
        truth = norm.sf(cut - 1.0), norm.cdf(cut + 1.0)
        for side, one in enumerate((found.rates.sensitivity, found.rates.specificity)):
            assert one.low is not None
            assert one.high is not None
            held[side] += one.low <= truth[side] <= one.high
    assert (held >= 0.9 * 200).all()
