"""Which dimension holds which axis, through reshapes that real networks make."""

from __future__ import annotations

from foveal.graph.layout import (
    Atom,
    broadcast,
    layout_of_input,
    reshaped,
    scrambled,
    sole_axis,
)

PICTURE = layout_of_input((2, 6, 8, 4), 2)
EXTENTS = (8, 4)


def test_a_picture_has_its_axes_last():
    assert [sole_axis(dim, EXTENTS) for dim in PICTURE] == [None, None, 0, 1]


def test_a_channel_shuffle_leaves_the_axes_alone():
    apart = reshaped(PICTURE, (2, 3, 2, 8, 4))
    assert apart is not None

    together = reshaped((apart[0], apart[2], apart[1], *apart[3:]), (2, 6, 8, 4))

    assert together == PICTURE


def test_tokens_hold_both_axes_and_give_them_back():
    tokens = reshaped(PICTURE, (2, 6, 32))
    assert tokens is not None

    assert tokens[2] == (Atom(8, 0), Atom(4, 1))
    assert sole_axis(tokens[2], EXTENTS) is None
    assert reshaped(tokens, (2, 6, 8, 4)) == PICTURE


def test_windows_split_an_axis_into_steps_and_join_it_again():
    windows = reshaped(PICTURE, (2, 6, 4, 2, 2, 2))
    assert windows is not None

    assert windows[2:] == ((Atom(4, 0, 2),), (Atom(2, 0, 1),), (Atom(2, 1, 2),), (Atom(2, 1, 1),))
    assert reshaped(windows, (2, 6, 8, 4)) == PICTURE


def test_a_reshape_across_the_grain_is_not_followed():
    assert reshaped(PICTURE, (2, 6, 16, 2)) is not None
    assert reshaped(((Atom(6, 0),),), (4, 3)) is None
    assert reshaped(((Atom(7, 0, 0),),), (7, 2)) is None


def test_axes_of_a_single_unit_are_kept():
    tiny = layout_of_input((1, 6, 1, 1), 2)

    assert reshaped(tiny, (1, 6, 1, 1)) == tiny


def test_broadcasting_takes_the_places_of_the_wider_tensor():
    gate = ((), (Atom(6),), (), ())
    single = layout_of_input((2, 6, 1, 1), 2)

    assert broadcast(PICTURE, gate) == PICTURE
    assert broadcast(PICTURE, single) == PICTURE
    assert broadcast(PICTURE, layout_of_input((2, 6, 8, 2), 2)) is None


def test_scrambled_places_keep_their_axes_without_an_order():
    dim = scrambled(PICTURE[2:], 33)

    assert [(atom.axis, atom.step) for atom in dim] == [(0, 0), (1, 0)]
    assert sole_axis(dim, EXTENTS) is None
