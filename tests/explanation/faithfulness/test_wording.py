from __future__ import annotations

import numpy as np
import pytest
import torch

from foveal.explanation.faithfulness.deletion import response_of
from foveal.explanation.faithfulness.wording import (
    describe_against,
    describe_alike,
    describe_doubtful,
    describe_refuted,
    describe_sufficient,
    describe_supported,
    tells_apart,
)
from foveal.explanation.heat_map import Check, HeatMap


def _quick(untouched: float, own: float, elsewhere: float):
    figures = np.array([untouched, own, elsewhere, elsewhere, elsewhere])
    return response_of(figures, "quick", torch.float32)


def _failed(name: str, value: float = 0.0, reference: float = 0.0) -> Check:
    return Check(name, "failed", value, reference, "")


def test_supported_tells_both_changes():
    assert describe_supported("The answer 'a'", "the middle", _quick(0.93, 0.41, 0.88)) == (
        "The answer 'a' rests on the middle: covering the marked fifth of the image lowers its "
        "probability from 93% to 41%; covering an equal area elsewhere lowers it to 88% on "
        "average."
    )


def test_no_change_elsewhere_is_called_none():
    sentence = describe_supported("The answer 'a'", "the middle", _quick(0.93, 0.41, 0.931))
    assert sentence.endswith("elsewhere leaves it at 93% on average.")


def test_where_most_of_the_answer_remains_the_sentence_says_so():
    sentence = describe_supported("The answer 'a'", "the middle", _quick(0.93, 0.85, 0.92))
    assert sentence.endswith("Most of it remains, so it does not rest there alone.")


@pytest.mark.parametrize(
    ("before", "own", "elsewhere", "told"),
    [
        (0.93, 0.41, 0.88, True),
        (0.08, 0.011, 0.014, False),  # "8% to 1%, elsewhere to 1%"
        (0.08, 0.0145, 0.0155, False),  # printed apart, but no reader would call it a difference
        (0.25, 0.27, 0.28, False),  # covering raises it
        (0.93, 0.93, 0.95, False),  # covering changes nothing
    ],
)
def test_equal_figures_tell_no_place_from_another(before, own, elsewhere, told):
    assert tells_apart(_quick(before, own, elsewhere)) is told


def test_a_map_in_doubt_for_equal_figures_says_both():
    assert describe_alike("The answer 'a'", "the middle", _quick(0.08, 0.011, 0.014)) == (
        "The answer 'a' may not rest on the middle, where the map points: covering the marked "
        "fifth of the image lowers its probability from 8% to 1%, covering an equal area "
        "elsewhere to 1% on average: too little between the two to tell the areas apart."
    )


def _map(signed: list[list[float]]) -> HeatMap:
    values = np.array(signed, np.float32)
    return HeatMap("cam", "l", "", 0, 1.0, values.clip(0), values, None, (32, 32))


def test_a_covered_fifth_with_places_against_the_class_says_so():
    spot = np.full((8, 8), -1.0)
    spot[0, 0] = 3.0
    sentence = describe_against(_map(spot.tolist()))
    assert sentence is not None
    assert sentence.startswith("Only 2% of the image speaks for it: the covered fifth includes")


@pytest.mark.parametrize("signed", [[[1.0, -1.0], [-1.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]])
def test_where_enough_speaks_for_the_class_or_nothing_against_it_none_is_said(signed):
    assert describe_against(_map(signed)) is None


def test_places_that_matter_less_than_others_are_called_no_more():
    sentence = describe_doubtful(
        "The answer 'a'", "the middle", _quick(0.93, 0.9, 0.5), [_failed("deletion")]
    )
    assert "matter no more than others" in sentence


def test_places_that_matter_a_little_more_do_not_clearly_matter_more():
    sentence = describe_doubtful(
        "The answer 'a'", "the middle", _quick(0.93, 0.6, 0.7), [_failed("deletion")]
    )
    assert "do not clearly matter more than others" in sentence


def test_a_map_that_does_not_add_up_is_refuted_by_its_numbers():
    sentence = describe_refuted([_failed("completeness", 3.1, 5.2), _failed("deletion")])
    assert "adds up to 3.1, and the network answers 5.2" in sentence


def test_places_that_are_enough_but_not_needed_are_called_so():
    check = Check("insertion", "passed", 0.8, 0.5, "")
    assert describe_sufficient("The answer 'a'", "the middle", check) == (
        "The answer 'a' can be told from the middle alone: uncovering what the map marks first, "
        "its probability averages 80%, uncovering other areas first 50%; but covering them takes "
        "no more away than covering others, so it does not rest there only."
    )


def test_where_one_other_place_hurts_as_much_the_sentence_tells_how_much():
    response = response_of(np.array([0.9, 0.3, 0.2, 0.7, 0.9]), "quick", torch.float32)
    sentence = describe_doubtful("The answer 'a'", "the middle", response, [_failed("deletion")])
    assert "elsewhere gives 60% on average and 20% at one area" in sentence


def test_places_that_are_needed_but_not_enough_are_called_so():
    sentence = describe_doubtful(
        "The answer 'a'", "the middle", _quick(0.93, 0.41, 0.88), [_failed("insertion")]
    )
    assert sentence == (
        "The answer 'a' needs the middle, but not that alone: covering the marked fifth of the "
        "image lowers its probability from 93% to 41% (elsewhere: 88%), yet uncovering what "
        "the map marks first brings it back no better than uncovering other areas."
    )


def test_places_that_are_not_enough_are_not_called_needed_without_a_figure_that_says_so():
    sentence = describe_doubtful(
        "The answer 'a'", "the middle", _quick(0.93, 0.929, 0.928), [_failed("insertion")]
    )
    assert sentence.startswith("The answer 'a' may not rest on the middle")
    assert "needs" not in sentence
