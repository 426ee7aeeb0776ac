from __future__ import annotations

import dataclasses
import doctest

import numpy as np
import pytest

from foveal.evaluation import (
    Baseline,
    Calibration,
    CurvePoint,
    Grouping,
    HeldOutGroups,
    Interval,
    LearningCurve,
    PredictionSets,
    ReliabilityBin,
    compare,
    describe_against_baseline,
    describe_calibration,
    describe_interval,
    describe_leak,
    describe_learning_curve,
    describe_prediction_sets,
    describe_tested,
    measure,
    wording,
)

METRICS = measure(np.eye(2)[[0, 1, 0]], [0, 1, 0], [0, 1, 2], class_names=("a", "b"))
LEAK = Grouping("column 'patient'", False, 0.80, 0.86, Interval(0.06, 0.03, 0.09))
CURVE = LearningCurve(
    (CurvePoint(250, 0.80, 0.78, 0.82), CurvePoint(500, 0.85, 0.84, 0.86)),
    1000,
    Interval(0.88, 0.86, 0.90),
)
SETS = PredictionSets(
    alpha=0.1,
    conditional="marginal",
    thresholds=(0.3, 0.3),
    coverage=Interval(0.91, 0.88, 0.93),
    mean_size=1.25,
    size_counts=(0, 75, 25),
    class_coverage=(Interval(0.95, 0.93, 0.97), Interval(0.75, 0.65, 0.83)),
)


def baseline(low: float | None, high: float | None) -> Baseline:
    return Baseline("functional", 0.574, Interval(0.26, low, high))


def reliability(confidence: float, low: float, high: float) -> tuple[ReliabilityBin, ...]:
    accuracy = Interval((low + high) / 2, low, high)
    return (ReliabilityBin(0.5, 1.0, 100, confidence, accuracy),) * 10


def calibration(
    before: tuple[ReliabilityBin, ...], after: tuple[ReliabilityBin, ...]
) -> Calibration:
    return Calibration(1.5, 0.082, 0.021, 0.6, 0.5, before, after)


def test_examples_hold() -> None:
    result = doctest.testmod(wording)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_gain_is_claimed_as_its_interval() -> None:
    assert describe_against_baseline(METRICS, baseline(0.22, 0.30)) == (
        "better than always answering 'functional' (57.4%) by 22 to 30 points"
    )


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.05), (0.0, 0.05), (0.0002, 0.05)])
def test_a_gain_that_may_be_nothing_is_not_claimed(low: float, high: float) -> None:
    assert describe_against_baseline(METRICS, baseline(low, high)) == (
        "not distinguishable from always answering 'functional' (57.4%)"
    )


def test_a_loss_is_said() -> None:
    text = describe_against_baseline(METRICS, baseline(-0.05, -0.02))
    assert text == "worse than always answering 'functional' (57.4%) by 2.0 to 5.0 points"


def test_a_gain_without_an_interval_is_not_claimed() -> None:
    text = describe_against_baseline(METRICS, baseline(None, None))
    assert "too few to tell" in text


def test_a_hostile_class_name_stays_on_one_line() -> None:
    hostile = dataclasses.replace(baseline(0.2, 0.3), class_name="a\nb\u202e")
    assert "'a\\nb\\u202e'" in describe_against_baseline(METRICS, hostile)


def test_almost_all_is_not_all() -> None:
    assert describe_interval(Interval(0.9997, 0.99, 1.0)).startswith(">99.9% ")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [((0.1, 0.2), (0.3, 0.4), "lower"), ((0.1, 0.3), (0.3, 0.4), "not distinguishable")],
)
def test_intervals_that_touch_are_not_told_apart(first, second, expected) -> None:
    assert compare(Interval(first[0], *first), Interval(second[0], *second)) == expected


def test_nothing_is_told_apart_without_an_interval() -> None:
    assert compare(Interval(0.9, None, None), Interval(0.1, 0.05, 0.2)) == "not distinguishable"


def test_a_leak_is_said_with_its_interval() -> None:
    text = describe_leak(LEAK)
    assert "accuracy is 80.0%" in text
    assert text.endswith("Mixing them would flatter the result by 3.0 to 9.0 points.")


def test_a_leak_within_chance_is_not_claimed() -> None:
    text = describe_leak(dataclasses.replace(LEAK, leak=Interval(0.01, -0.02, 0.04)))
    assert "within chance (-2.0 to +4.0 points): a leak is neither shown nor ruled out." in text


def test_approximate_groups_are_admitted() -> None:
    text = describe_leak(dataclasses.replace(LEAK, is_approximate=True))
    assert "approximate" in text


def test_no_groups_is_not_no_leak() -> None:
    text = describe_leak(Grouping(None, False, None, None, None))
    assert "could not be checked" in text


def test_more_images_are_promised_only_above_todays_accuracy() -> None:
    text = describe_learning_curve(CURVE)
    assert text == (
        "Twice as many training images would give about 88.0% (somewhere from 86.0 to 90.0%), "
        "against 85.0% with 500: more images should help, by 1.0 to 5.0 points, if they come "
        "like these."
    )


def test_a_gain_from_more_images_inside_the_interval_is_not_promised() -> None:
    curve = dataclasses.replace(CURVE, extrapolation=Interval(0.88, 0.84, 0.90))
    assert describe_learning_curve(curve).endswith(
        "that more images would help cannot be told from this."
    )


def test_sets_that_rule_nothing_out_are_said_to() -> None:
    sets = dataclasses.replace(SETS, mean_size=2.0, size_counts=(0, 0, 100))
    text = describe_prediction_sets(sets)
    assert "Every list holds every label: nothing is ruled out" in text
    assert "on average" not in text


def test_a_flat_curve_is_given_no_range() -> None:
    points = tuple(CurvePoint(size, 1.0, 1.0, 1.0) for size in (12, 24, 48, 97))
    curve = LearningCurve(points, 242, Interval(1.0, 1.0, 1.0))
    assert describe_learning_curve(curve) == (
        "Accuracy stayed at 100.0% from 12 to 97 training images: what more would give is too "
        "little to be seen on the images at hand."
    )


def test_a_curve_without_a_fit_gives_its_reason() -> None:
    text = describe_learning_curve(LearningCurve(CURVE.points, None, None, "Too few sizes."))
    assert text == "What more images would give cannot be said. Too few sizes."


def test_good_calibration_is_within_chance() -> None:
    text = describe_calibration(
        calibration(reliability(0.9, 0.7, 0.8), reliability(0.75, 0.7, 0.8))
    )
    assert "off by 8.2 points on average (too sure); after it, by 2.1." in text
    assert text.endswith(
        "Over 10 bands of confidence, the difference is no larger than chance explains."
    )


def test_probabilities_left_alone_are_said_to_be() -> None:
    untouched = calibration(reliability(0.9, 0.7, 0.8), reliability(0.9, 0.7, 0.8))
    text = describe_calibration(dataclasses.replace(untouched, temperature=1.0))
    assert "Adjusting it by other images did not help, so it is left as it is." in text
    assert "after it" not in text


def test_bad_calibration_warns() -> None:
    text = describe_calibration(calibration(reliability(0.6, 0.7, 0.8), reliability(0.9, 0.7, 0.8)))
    assert "(not sure enough)" in text
    assert "In 10 of 10 bands" in text


def test_sets_are_said_with_their_coverage() -> None:
    text = describe_prediction_sets(SETS)
    assert "built to hold the true one in 90.0%" in text
    assert "91.0% (95% interval 88.0 to 93.0%)" in text
    assert "1.25 labels on average; 75.0% of images have one label alone" in text
    assert "less than promised" not in text


def test_a_broken_promise_is_said() -> None:
    text = describe_prediction_sets(dataclasses.replace(SETS, coverage=Interval(0.8, 0.75, 0.85)))
    assert "That is less than promised." in text


def test_a_neglected_class_is_named() -> None:
    text = describe_prediction_sets(SETS, class_names=("good", "<b>bad"))
    assert text.endswith("The true label is missed more often for '<b>bad' (75.0%).")


def test_fused_copies_alone_are_not_called_groups() -> None:
    text = describe_leak(Grouping(None, False, 0.80, 0.81, Interval(0.01, -0.02, 0.03)))
    assert "With near duplicates kept apart from training" in text
    assert "belong together" not in text
    assert "No groups are known, so it could not be checked" in text


def test_what_was_held_out_is_told_with_both_figures() -> None:
    difference = Interval(0.39, 0.2, 0.6)
    tested = HeldOutGroups("column 'x'", "--group-column x", 9, 0.97, 0.58, difference)
    assert describe_tested(tested) == (
        "With images that share it on both sides, a quick classifier is right in 97.0% of images; "
        "with them kept apart, in 58.0%. Mixing them flatters by 20 to 60 points."
    )
