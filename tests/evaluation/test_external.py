from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from foveal.evaluation import Interval
from foveal.evaluation.external import (
    accuracy_change,
    compare_shares,
    compare_spread,
    plan_labels,
)
from foveal.evaluation.external_wording import (
    describe_accuracy_change,
    describe_label_budget,
)


def test_labels_needed_are_those_of_the_closed_form() -> None:
    right = np.arange(400) % 5 > 0
    found = plan_labels(right, np.arange(400), training=Interval(0.8, 0.8, 0.8), is_measured=True)
    assert found is not None
    z = stats.norm.ppf(0.975)
    assert found.design_effect == pytest.approx(1.0, abs=1e-12)
    assert [one.num_images for one in found.needed] == [
        math.ceil(z**2 * 0.8 * 0.2 / half**2) for half in (0.05, 0.03, 0.02)
    ]
    reach = z + stats.norm.ppf(0.8)
    assert found.num_for_drop == math.ceil(0.75 * 0.25 * (reach / 0.05) ** 2)


def test_images_of_groups_that_are_alike_count_as_one() -> None:
    right = np.repeat(np.arange(200) % 5 > 0, 6)
    groups = np.repeat(np.arange(200), 6)
    found = plan_labels(right, groups, training=Interval(0.8, 0.8, 0.8), is_measured=True)
    assert found is not None
    assert found.design_effect == pytest.approx(6.0, rel=0.03)


def test_a_training_accuracy_that_is_hardly_known_cannot_be_fallen_from() -> None:
    found = plan_labels(
        np.arange(40) % 2 > 0, np.arange(40), training=Interval(0.7, 0.6, 0.8), is_measured=False
    )
    assert found is not None
    assert found.num_for_drop is None
    assert "not known that well" in describe_label_budget(found)


def test_without_a_mistake_the_interval_says_how_many() -> None:
    found = plan_labels(
        np.ones(30, bool), np.arange(30), training=Interval(0.9, 0.89, 0.91), is_measured=True
    )
    assert found is not None
    assert found.needed[0].num_images is None
    assert found.needed[0].num_at_worst > 50
    assert "±5 points up to" in describe_label_budget(found)


def test_one_group_gives_nothing_to_plan_from() -> None:
    found = plan_labels(
        np.ones(9, bool), np.zeros(9, int), training=Interval(0.9, 0.8, 0.95), is_measured=True
    )
    assert found is None


def test_a_change_is_that_of_two_independent_figures() -> None:
    found = accuracy_change(Interval(0.9, 0.87, 0.92), Interval(0.8, 0.74, 0.85))
    assert found.estimate == pytest.approx(-0.1)
    assert found.low == pytest.approx(-0.1 - math.hypot(0.06, 0.02))
    assert found.high == pytest.approx(-0.1 + math.hypot(0.05, 0.03))


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (Interval(-0.1, -0.15, -0.04), "lower than in training, by 4.0 to 15.0 points"),
        (Interval(0.1, 0.04, 0.15), "higher than in training, by 4.0 to 15.0 points"),
        (Interval(0.01, -0.04, 0.05), "No change of accuracy since training is shown"),
        (Interval(0.01, None, None), "cannot be told"),
    ],
)
def test_words_follow_the_interval(interval: Interval, words: str) -> None:
    assert words in describe_accuracy_change(interval)


def test_shares_and_spreads_stand_side_by_side() -> None:
    found = compare_shares(["L", "L", "RGB", "L"], ["RGB", "CMYK"], np.arange(4), np.arange(2))
    assert [(one.name, one.num_training, one.num_new) for one in found] == [
        ("L", 3, 0),
        ("RGB", 1, 1),
        ("CMYK", 0, 1),
    ]
    assert found[0].training.estimate == 0.75
    assert found[0].new.estimate == 0.0
    spread = compare_spread("width", "px", [None, 10.0, 20.0, 30.0], [None])
    assert spread.training is not None
    assert spread.training.median == 20.0
    assert spread.new is None
