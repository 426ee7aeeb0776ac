"""How many answers survive a small shift, against classifiers whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.evaluation import (
    Interval,
    ShiftStability,
    Stability,
    decision_consistency,
    describe_stability,
    wilson,
)

Array = NDArray[np.float64]
SIZE = 12


def two_classes(first: Array) -> Array:
    return np.stack([first, 1 - first], axis=1)


def by_mean(images: Array) -> Array:
    """Global average pooling: with wrapping, no shift changes anything."""
    return two_classes(images.mean((1, 2, 3)))


def by_left_half(images: Array) -> Array:
    """Sees only whether there is light in columns 0 to 5."""
    return two_classes(0.2 + 0.6 * (images[..., :6].max((1, 2, 3)) > 0.5))


def dots(columns: list[int]) -> Array:
    """One bright pixel an image, in row 6."""
    images = np.zeros((len(columns), 1, SIZE, SIZE))
    for number, column in enumerate(columns):
        images[number, 0, 6, column] = 1.0
    return images


def test_an_invariant_classifier_keeps_every_answer() -> None:
    images = np.random.default_rng(0).random((20, 3, SIZE, SIZE))
    found = decision_consistency(by_mean, images, shifts_px=(1, 4), border="wrap")
    assert [item.kept.estimate for item in found.shifts] == [1.0, 1.0]
    assert [item.probability_change.estimate for item in found.shifts] == pytest.approx([0, 0])


# A dot in column 5 leaves the left half when it moves right, and only then: one of four.
def test_a_known_edge_is_crossed_in_one_of_four_directions() -> None:
    found = decision_consistency(by_left_half, dots([5] * 8), shifts_px=(1,))
    assert found.shifts[0].kept.estimate == pytest.approx(3 / 4)
    assert found.shifts[0].probability_change.estimate == pytest.approx(0.6 / 4)


# Of columns 2 to 5 and 6 to 9: by 1 px one of each four crosses, by 2 px two.
def test_larger_shifts_cross_more_often() -> None:
    images = dots([2, 3, 4, 5, 6, 7, 8, 9])
    found = decision_consistency(by_left_half, images, shifts_px=(1, 2))
    crossed = [round(32 * (1 - (item.kept.estimate or 0))) for item in found.shifts]
    assert crossed == [2, 4]


def test_in_turn_moves_each_picture_once_a_shift() -> None:
    batches: list[Array] = []

    def predict(images: Array) -> Array:
        batches.append(images)
        return by_left_half(images)

    decision_consistency(predict, dots([6] * 4), shifts_px=(1, 2), directions="in turn")
    assert len(batches) == 1 + 2
    positions = [
        [tuple(map(int, np.argwhere(image[0])[0])) for image in batch] for batch in batches
    ]
    assert positions[1] == [(6, 7), (7, 6), (6, 5), (5, 6)]
    assert sorted(positions[2]) == sorted([(6, 8), (8, 6), (6, 4), (4, 6)])


def test_cropping_hands_over_the_window() -> None:
    shapes: list[tuple[int, ...]] = []

    def predict(images: Array) -> Array:
        shapes.append(images.shape)
        return by_mean(images)

    found = decision_consistency(predict, dots([5]), shifts_px=(1, 3), border="crop")
    assert set(shapes) == {(1, 1, SIZE - 6, SIZE - 6)}
    assert found.size_px == (SIZE - 6, SIZE - 6)


def test_with_nothing_lost_the_interval_is_wilsons() -> None:
    images = np.random.default_rng(0).random((40, 3, SIZE, SIZE))
    found = decision_consistency(by_mean, images, border="wrap", directions="in turn")
    assert found.shifts[0].kept.low == pytest.approx(wilson(40, 40).low)


def test_pictures_of_one_group_count_as_fewer() -> None:
    images = dots([2, 3, 4, 5] * 10)
    apart = decision_consistency(by_left_half, images, shifts_px=(2,))
    grouped = decision_consistency(
        by_left_half, images, shifts_px=(2,), groups=np.repeat(np.arange(10), 4)[::-1]
    )
    together = decision_consistency(by_left_half, images, shifts_px=(2,), groups=np.zeros(40, int))
    assert (apart.num_groups, grouped.num_groups, together.num_groups) == (40, 10, 1)
    assert together.shifts[0].kept.low is None


# Simulated: images cross with a known chance; the interval should hold it nearly always.
def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(100):
        columns = np.where(rng.random(60) < 0.2, 5, 2)
        found = (
            decision_consistency(by_left_half, dots(list(columns)), shifts_px=(1,), seed=trial)
            .shifts[0]
            .kept
        )
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1 - 0.2 / 4 <= found.high
    assert hits >= 90


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((0, 3, 8, 8)), {}, r"images: got shape \(0, 3, 8, 8\)"),
        (np.zeros((3, 8, 8)), {}, r"expected \[N, C, H, W\]"),
        (dots([1]), {"shifts_px": (0, 1)}, "from 1 on"),
        (dots([1]), {"shifts_px": (SIZE,)}, "Choose a smaller shift"),
    ],
)
def test_what_cannot_be_moved_is_refused(images, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        decision_consistency(by_mean, images, **options)


def shares(*kept: tuple[float, float, float], change: float = 0.02) -> Stability:
    return Stability(
        64, 64, 64, (224, 224), "reflect", "in turn",
        tuple(
            ShiftStability(2**k, Interval(*values), Interval(change, 0.01, 0.03))
            for k, values in enumerate(kept)
        ),
    )  # fmt: skip


def test_words_give_the_least_that_the_intervals_allow() -> None:
    said = describe_stability(shares((1.0, 0.94, 1.0), (0.98, 0.91, 0.999)))
    assert said == (
        "Of 64 images, 100.0% (95% interval 94.0 to 100.0%) keep their answer when moved by "
        "1 px, and 98.0% (95% interval 91.0 to 99.9%) when moved by 2 px. So at least 91.0% of "
        "images like these keep it under such a move. The probability of the answer moves by "
        "2.0 points on average at 2 px."
    )


def test_words_say_when_a_pixel_is_enough() -> None:
    assert "A move of 1 px alone changes it for at least 5.0%." in describe_stability(
        shares((0.9, 0.8, 0.95))
    )


@pytest.mark.parametrize(("high", "is_said"), [(0.85, True), (0.95, False)])
def test_words_claim_a_trend_only_outside_the_intervals(high: float, is_said: bool) -> None:
    said = describe_stability(shares((0.98, 0.9, 0.995), (0.8, 0.7, high)))
    assert ("Larger moves change it more often." in said) == is_said


def test_words_admit_that_one_group_says_nothing() -> None:
    stability = shares((1.0, 0.9, 1.0))
    lonely = replace(stability.shifts[0], kept=Interval(1.0, None, None))
    said = describe_stability(replace(stability, shifts=(lonely,)))
    assert said.endswith("There are too few independent images to say what others would do.")
