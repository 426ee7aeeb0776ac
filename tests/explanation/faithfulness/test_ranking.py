from __future__ import annotations

import numpy as np
import pytest

from foveal.explanation.faithfulness.ranking import MARKED_SHARE, marked, moved_copies, order_of


def test_first_places_are_the_highest(make_map):
    values = np.arange(1024.0).reshape(32, 32)
    order = order_of(make_map(values))
    assert np.array_equal(marked(order, 0.25), values >= 768)


def test_a_share_of_the_image_is_marked_whatever_the_map_repeats(make_map):
    values = np.zeros((32, 32))
    values[:2, :2] = 1
    assert marked(order_of(make_map(values)), 0.5).sum() == 512


def test_among_equal_places_those_near_the_high_ones_come_first(make_map):
    values = np.zeros((32, 32))
    values[24:, 24:] = 1
    first = marked(order_of(make_map(values)), 0.2)
    rows, columns = np.nonzero(first)
    assert min(rows.min(), columns.min()) >= 12


def test_what_was_cut_off_comes_last_in_its_own_order(make_map):
    signed = np.zeros((32, 32))
    signed[:, :16], signed[:, 16:24], signed[:, 24:] = 1, -1, -2
    order = order_of(make_map(np.maximum(signed, 0), signed=signed))
    assert np.array_equal(marked(order, 0.75), signed >= -1)


def test_a_small_map_is_enlarged_to_the_image(make_map):
    order = order_of(make_map(np.array([[3.0, 2.0], [1.0, 0.0]])))
    assert order.shape == (32, 32)
    assert order[0, 0] < order[0, -1] < order[-1, 0] < order[-1, -1]


def test_an_even_map_ranks_nothing(make_map):
    assert order_of(make_map(np.ones((4, 4)))) is None


def test_copies_hold_the_same_places_in_another_arrangement(make_map, true_map):
    order = order_of(true_map)
    copies = moved_copies(order, 5, np.random.default_rng(0))
    assert all(np.array_equal(np.sort(c, axis=None), np.sort(order, axis=None)) for c in copies)


def test_copies_are_as_smooth_as_the_map(true_map):
    order = order_of(true_map)

    def roughness(values: np.ndarray) -> float:
        steps = [np.abs(values - np.roll(values, 1, axis=axis)).mean() for axis in (0, 1)]
        return float(sum(steps))

    copies = moved_copies(order, 5, np.random.default_rng(0))
    assert [roughness(copy) for copy in copies] == pytest.approx([roughness(order)] * 5, rel=1e-5)


def test_copies_mark_other_places(true_map):
    order = order_of(true_map)
    own = marked(order, MARKED_SHARE)
    copies = moved_copies(order, 19, np.random.default_rng(1))
    shares = [(marked(copy, MARKED_SHARE) & own).sum() / own.sum() for copy in copies]
    assert max(shares) <= 0.25


def test_same_seed_same_copies(true_map):
    order = order_of(true_map)
    one, other = (moved_copies(order, 3, np.random.default_rng(7)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
