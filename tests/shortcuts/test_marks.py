"""Suspicion from maps, and covering that decides."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.explanation.cell_centres import even_centres
from foveal.shortcuts.marks import (
    CoverTrial,
    Shortcut,
    Suspicion,
    cover,
    describe_shortcut,
    is_confirmed,
    judge_trial,
    suspect,
)
from foveal.shortcuts.separation import HeldOutMaps, separate
from foveal.shortcuts.windows import Box, Window, border_windows

NUM = 24


def maps_of(own: NDArray[np.float32], *, grid: int = 7) -> HeldOutMaps:
    """Class 0 has ``own`` [n, h, w] on top of noise that both classes have."""
    random = np.random.default_rng(0)
    signed = random.normal(0, 0.3, (2 * NUM, 2, grid, grid)).astype(np.float32)
    signed[:NUM, 0] += own
    labels = np.repeat([0, 1], NUM)
    return HeldOutMaps(signed, np.zeros((2 * NUM, 2), np.float32), labels)


def regions(maps: HeldOutMaps) -> list[str]:
    box = [one.window.box(even_centres((7, 7), (70, 70)), (70, 70)) for one in found(maps)]
    return [one.name for one in box]


def found(maps: HeldOutMaps) -> tuple[Suspicion, ...]:
    return suspect(maps, separate(maps, 0))


def test_a_mark_in_a_corner_is_suspected_there() -> None:
    own = np.zeros((NUM, 7, 7), np.float32)
    own[:, 5:, 5:] = 3.0
    assert regions(maps_of(own))[0] == "lower right corner"


def test_a_finding_that_moves_about_is_not() -> None:
    own = np.zeros((NUM, 7, 7), np.float32)
    random = np.random.default_rng(1)
    for one in own:
        top, left = random.integers(1, 5, 2)
        one[top : top + 2, left : left + 2] = 8.0
    assert found(maps_of(own)) == ()


def test_evidence_from_everywhere_is_not() -> None:
    assert found(maps_of(np.full((NUM, 7, 7), 1.0, np.float32))) == ()


def test_a_frame_all_around_is_no_mark_at_one_place() -> None:
    own = np.full((NUM, 7, 7), 2.0, np.float32)
    own[:, 1:-1, 1:-1] = 0.0
    assert found(maps_of(own)) == ()


def test_a_classifier_that_tells_nothing_apart_is_not_searched() -> None:
    assert found(maps_of(np.zeros((NUM, 7, 7), np.float32))) == ()


def test_a_grid_that_is_too_coarse_is_not_searched() -> None:
    own = np.zeros((NUM, 3, 3), np.float32)
    own[:, 2, 2] = 5.0
    assert found(maps_of(own, grid=3)) == ()


def test_every_border_window_touches_the_border() -> None:
    windows = list(border_windows((7, 7)))
    assert len(windows) == 6 * 6 - 4 * 4
    assert all(w.top in (0, 5) or w.left in (0, 5) for w in windows)


def test_a_corner_is_mirrored_to_the_three_others() -> None:
    mirrored = Window(5, 5, 2, 2, (7, 7)).mirrored()
    assert {(one.top, one.left) for one in mirrored} == {(0, 0), (0, 5), (5, 0)}


def test_covering_paints_the_box_in_the_colour_around_it() -> None:
    images = np.ones((1, 3, 40, 40), np.float32)
    images[:, :, 30:, 30:] = 9.0
    covered = cover(images, Box(0.75, 0.75, 1.0, 1.0))
    assert (covered == 1.0).all()


def test_covering_leaves_the_original_alone() -> None:
    images = np.random.default_rng(0).random((1, 3, 40, 40), np.float32)
    before = images.copy()
    cover(images, Box(0.0, 0.0, 0.25, 0.25))
    assert (images == before).all()


def test_a_trial_counts_answers_that_change() -> None:
    before = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    covered = np.array([[0.0, 1.0], [1.5, 0.0], [0.0, 1.0]])
    trial = judge_trial(before, covered, [before, covered], 0)
    assert (trial.num_images, trial.num_right, trial.num_changed) == (3, 2, 1)
    assert trial.num_changed_elsewhere == 0.5
    assert trial.loss == pytest.approx((3.0 + 0.5 + 0.0) / 3)


def trial_of(loss: float, elsewhere: float, t: float = 10.0) -> CoverTrial:
    return CoverTrial(12, 12, 6, 0.0, loss, elsewhere, t)


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        (trial_of(2.0, 0.1), True),
        (trial_of(2.0, 1.5), False),  # anything that is covered disturbs
        (trial_of(0.2, 0.0), False),  # a small part of what separates the classes
        (trial_of(2.0, 0.1, t=1.0), False),  # chance
        (trial_of(-1.0, -3.0), False),  # covering helps the class, there and elsewhere
    ],
)
def test_covering_decides(trial: CoverTrial, expected: bool) -> None:
    assert is_confirmed(trial, gap=3.0) is expected


def test_the_sentence_names_place_class_and_effect() -> None:
    window = Window(5, 5, 2, 2, (7, 7))
    shortcut = Shortcut(
        Suspicion(1, window, 0.83, 9.0), Box(0.8, 0.8, 1.0, 1.0), trial_of(3.0, 0.0)
    )
    sentence = describe_shortcut(shortcut, class_name="b\n")
    assert sentence.startswith(
        "83% of what sets “b\\n” apart comes from the lower right corner, 4% of the image; "
        "covering it changes 6 of 12 right answers, covering the regions opposite changes none."
    )
