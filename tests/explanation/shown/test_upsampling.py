"""A map between its cells: through their values, never beyond them, at the right position."""

from __future__ import annotations

import numpy as np

from foveal.explanation.cell_centres import CellCentres, even_centres
from foveal.explanation.placement import spread

AT = np.arange(64.0)


def centres(first: float, step: float, num: int = 4) -> CellCentres:
    positions = first + step * np.arange(num)
    return CellCentres(positions, positions, "receptive field")


def test_it_passes_through_the_cells_at_their_centres() -> None:
    values = np.random.default_rng(0).random((4, 4))
    where = centres(3.0, 16.0)
    shown = spread(values, where, rows=where.rows, columns=where.columns)
    np.testing.assert_allclose(shown, values)


def test_it_stays_within_the_values_of_the_cells() -> None:
    values = np.random.default_rng(1).random((4, 4))
    shown = spread(values, centres(8.0, 16.0), rows=AT, columns=AT)
    assert values.min() <= shown.min()
    assert shown.max() <= values.max()


def test_a_hot_cell_is_hottest_at_its_own_centre() -> None:
    values = np.zeros((4, 4))
    values[1, 2] = 1.0
    shown = spread(values, centres(2.0, 16.0), rows=AT, columns=AT)
    assert np.unravel_index(shown.argmax(), shown.shape) == (2 + 16, 2 + 2 * 16)


def test_beyond_the_outermost_centres_the_nearest_value_holds() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    shown = spread(values, centres(20.0, 16.0, 2), rows=AT, columns=AT)
    assert shown[0, 0] == 1.0
    assert shown[-1, -1] == 4.0


def test_one_cell_fills_the_image() -> None:
    shown = spread(np.array([[7.0]]), even_centres((1, 1), (64, 64)), rows=AT, columns=AT)
    assert (shown == 7.0).all()


def test_rows_and_columns_are_not_exchanged() -> None:
    values = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    shown = spread(
        values, even_centres((2, 3), (20, 30)), rows=np.arange(20), columns=np.arange(30)
    )
    assert shown.shape == (20, 30)
    assert (shown[:, -1] == 1.0).all()
