"""How many images make a sensitivity known well enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import samplesize_confint_proportion

from foveal.evaluation.sample_size import (
    describe_sample_size,
    describe_sample_sizes,
    num_images_needed,
    plan_sample_sizes,
)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.2))
def test_the_number_is_statsmodels(share: float, half_width: float) -> None:
    expected = samplesize_confint_proportion(share, half_width, alpha=0.05)
    assert num_images_needed(share, half_width=half_width) == math.ceil(expected - 1e-6)


def make_logits(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    predictions = np.where(right, labels, 1 - labels)
    return np.eye(2)[predictions] * 4.0


def test_you_have_and_you_need() -> None:
    labels = np.repeat([0, 1], [100, 300])
    right = np.concatenate([np.arange(100) < 80, np.arange(300) < 285])
    found = plan_sample_sizes(make_logits(right, labels), labels, np.arange(400), class_names="ab")
    first, second = found.classes
    # 1.96² 0.8 0.2 / 0.05² = 245.9; 1.96² 0.95 0.05 / 0.05² = 73.0
    assert (first.num_images, first.num_needed) == (100, 246)
    assert first.design_effect == pytest.approx(1.0, abs=1e-12)
    assert (second.num_images, second.num_needed) == (300, 73)
    assert "you have 100 images" in describe_sample_size(first, 0.05)
    assert "you need 246" in describe_sample_size(first, 0.05)
    assert "146 more" in describe_sample_size(first, 0.05)
    assert "enough" in describe_sample_size(second, 0.05)
    assert describe_sample_sizes(found).startswith("1 of 2 classes has too few images")


def test_copies_need_as_many_times_more() -> None:
    labels, right = np.repeat([0, 1], 60), np.tile(np.arange(60) % 4 > 0, 2)
    logits = make_logits(right, labels)
    alone = plan_sample_sizes(logits, labels, np.arange(120), class_names="ab").classes[0]
    copies = plan_sample_sizes(
        np.repeat(logits, 5, axis=0),
        np.repeat(labels, 5),
        np.repeat(np.arange(120), 5),
        class_names="ab",
    ).classes[0]
    assert copies.design_effect == pytest.approx(5.0, rel=0.05)
    assert copies.num_needed == pytest.approx(5 * (alone.num_needed or 0), rel=0.06)


def test_without_a_mistake_the_interval_says_what_is_needed() -> None:
    labels = np.repeat([0, 1], 30)
    found = plan_sample_sizes(
        make_logits(np.ones(60, bool), labels), labels, np.arange(60), class_names="ab"
    ).classes[0]
    assert found.num_needed is None
    # Of 30 without a mistake Wilson's lower end is 30/(30 + 1.96²) = 0.886.
    assert found.num_needed_at_worst == num_images_needed(30 / (30 + 1.959963984540054**2))
    assert "up to" in describe_sample_size(found, 0.05)


@pytest.mark.parametrize("groups", [np.zeros(40, int), np.arange(40)])
def test_one_group_or_no_image_cannot_be_planned_from(groups: np.ndarray) -> None:
    labels = np.ones(40, int)
    found = plan_sample_sizes(
        make_logits(np.ones(40, bool), labels), labels, groups, class_names="ab"
    )
    assert found.classes[0].num_needed_at_worst is None
    assert "too few to plan from" in describe_sample_size(found.classes[0], 0.05)
