"""Reliance on what runs along the border."""

from __future__ import annotations

import numpy as np
import pytest

from foveal.shortcuts.border import BorderReliance, is_relied_on, judge_border, without_border


def test_a_frame_goes_and_the_inside_stays() -> None:
    images = np.random.default_rng(0).random((1, 3, 100, 100), np.float32)
    framed = images.copy()
    for side in (np.s_[:5], np.s_[-5:]):
        framed[:, :, side] = 9.0
        framed[:, :, :, side] = 9.0
    cleared = without_border(framed)
    assert cleared.max() < 1.0
    np.testing.assert_array_equal(cleared[:, :, 7:-7, 7:-7], images[:, :, 7:-7, 7:-7])


def test_the_margin_is_the_mirror_of_the_inside() -> None:
    images = np.arange(100, dtype=np.float32).reshape(1, 1, 1, 100).repeat(100, axis=2)
    row = without_border(images)[0, 0, 50]
    assert row[:8].tolist() == [14, 13, 12, 11, 10, 9, 8, 7]


def test_it_counts_answers_and_logits() -> None:
    before = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    after = np.array([[0.0, 1.0], [0.5, 0.0], [0.0, 1.0]])
    found = judge_border(before, after, 0)
    assert (found.num_images, found.num_right, found.num_changed) == (3, 2, 1)
    assert found.loss == pytest.approx((3.0 + 0.5 + 0.0) / 3)


@pytest.mark.parametrize(
    ("changed", "loss", "t", "expected"),
    [(10, 3.0, 9.0, True), (3, 3.0, 9.0, False), (10, 0.5, 9.0, False), (10, 3.0, 2.0, False)],
)
def test_answers_and_logits_must_both_go(
    changed: int, loss: float, t: float, expected: bool
) -> None:
    assert is_relied_on(BorderReliance(0, 12, 12, changed, loss, t), gap=4.0) is expected
