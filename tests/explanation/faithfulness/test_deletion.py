from __future__ import annotations

import numpy as np
import pytest
import torch

from foveal.explanation.faithfulness.deletion import (
    NUM_COPIES,
    check_deletion,
    check_insertion,
    covered_images,
    num_passes,
    response_of,
)
from foveal.explanation.faithfulness.ranking import marked, moved_copies, order_of


def _quick(untouched: float, own: float, *elsewhere: float, dtype=torch.float32):
    return response_of(np.array([untouched, own, *elsewhere]), "quick", dtype)


def _full(deletion: np.ndarray, insertion: np.ndarray, *, untouched=0.9, all_covered=0.1):
    """Curves that stay at one height for each map, the map's own first."""
    curves = np.stack((deletion, insertion), 1)[:, None].repeat(7, 1)
    return response_of(np.array([untouched, all_covered, *curves.ravel()]), "full", torch.float32)


def test_images_are_the_untouched_one_and_one_with_a_fifth_covered_for_each_map(
    corner_image, true_map
):
    orders = (order_of(true_map), *moved_copies(order_of(true_map), 3, np.random.default_rng(0)))
    found = list(covered_images(corner_image, torch.full_like(corner_image, -9.0), orders, "quick"))
    assert found[0].equal(corner_image)
    mostly = [(image < -4.0)[0].numpy() for image in found[1:]]
    fifths = [marked(order, 0.2) for order in orders]
    shared = [(one & other).sum() / other.sum() for one, other in zip(mostly, fifths, strict=True)]
    assert min(shared) > 0.9


@pytest.mark.parametrize("effort", ["quick", "full"])
def test_as_many_images_come_as_was_said(corner_image, true_map, effort):
    order = order_of(true_map)
    orders = (order, *moved_copies(order, NUM_COPIES[effort], np.random.default_rng(0)))
    found = list(covered_images(corner_image, corner_image * 0, orders, effort))
    assert len(found) == num_passes(effort)


def test_uncovering_shows_what_covering_hides(corner_image, true_map):
    cover = torch.full_like(corner_image, -9.0)
    _, _, *steps = covered_images(corner_image, cover, (order_of(true_map),), "full")
    both = [hidden + shown for hidden, shown in zip(steps[::2], steps[1::2], strict=True)]
    assert all(torch.allclose(one, corner_image + cover, atol=1e-5) for one in both)


def test_area_is_the_mean_height_of_the_curve():
    # Straight lines between the steps: 0.9 to 0.5 over the first twentieth, 0.5 to 0.1 over the
    # last fifth, 0.5 between.
    response = _full(np.full(20, 0.5), np.full(20, 0.5))
    expected = 0.05 * 0.7 + 0.75 * 0.5 + 0.2 * 0.3
    assert response.deletion == pytest.approx([expected] * 20)


def test_insertion_runs_from_the_covered_image_to_the_untouched_one():
    response = _full(np.full(20, 0.5), np.full(20, 0.5))
    expected = 0.05 * 0.3 + 0.75 * 0.5 + 0.2 * 0.7
    assert response.insertion == pytest.approx([expected] * 20)


def test_the_lowest_of_four_passes():
    check = check_deletion(_quick(0.9, 0.3, 0.8, 0.7, 0.9))
    assert (check.status, check.value, check.reference) == ("passed", 0.3, pytest.approx(0.8))


def test_the_second_lowest_of_four_fails():
    check = check_deletion(_quick(0.9, 0.3, 0.2, 0.7, 0.9))
    assert check.status == "failed"
    assert check.sentence.endswith("The map ranks 2 of 4: chance would do it.")


def test_a_tie_counts_against_the_map():
    assert check_deletion(_quick(0.9, 0.3, 0.3, 0.7, 0.9)).status == "failed"


def test_what_half_precision_cannot_tell_apart_is_a_tie():
    figures = (0.9, 0.3, 0.302, 0.7, 0.9)
    checks = [check_deletion(_quick(*figures, dtype=d)) for d in (torch.float32, torch.bfloat16)]
    assert [check.status for check in checks] == ["passed", "failed"]


def test_a_image_that_answers_alike_wherever_it_is_covered_tells_nothing():
    check = check_deletion(_quick(0.99, 0.9899, 0.9899, 0.99, 0.99))
    assert (check.status, check.value) == ("unavailable", None)


@pytest.mark.parametrize(("num_better", "status"), [(3, "passed"), (4, "failed")])
def test_at_full_effort_the_best_fifth_passes(num_better: int, status: str):
    heights = np.full(20, 0.8)
    heights[0] = 0.5
    heights[1 : 1 + num_better] = 0.3
    assert check_deletion(_full(heights, 1 - heights)).status == status


@pytest.mark.parametrize(("num_better", "status"), [(3, "passed"), (4, "failed")])
def test_for_uncovering_higher_is_better(num_better: int, status: str):
    heights = np.full(20, 0.8)
    heights[0] = 0.5
    heights[1 : 1 + num_better] = 0.3
    assert check_insertion(_full(heights, 1 - heights)).status == status


def test_uncovering_is_not_tried_quickly():
    assert check_insertion(_quick(0.9, 0.3, 0.8, 0.7, 0.9)).status == "unavailable"
