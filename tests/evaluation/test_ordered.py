from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from foveal.errors import UsageError
from foveal.evaluation import describe_ordered, find_order, measure_ordered, read_order
from foveal.evaluation.evidence import OrderedClasses
from foveal.schema import from_json, to_json

EXACT = 1e-12
NAMES = ("mild", "moderate", "none", "severe")
ORDER = ("none", "mild", "moderate", "severe")


def measured(labels: object, predictions: object, **more: object) -> OrderedClasses:
    size = np.asarray(labels).size
    settings = {"class_names": NAMES, "order": ORDER, "origin": "given", "groups": np.arange(size)}
    settings |= more
    return measure_ordered(np.asarray(predictions), np.asarray(labels), **settings)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=12, max_size=60),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=60)
def test_weighted_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]], each: int) -> None:
    labels, predictions = map(np.array, zip(*pairs, strict=True))
    place = np.array([ORDER.index(name) for name in NAMES])
    found = measured(labels, predictions, groups=np.arange(len(pairs)) // each)
    truth, answer = place[labels], place[predictions]
    assert found.mean_distance.estimate == pytest.approx(np.abs(truth - answer).mean(), abs=EXACT)
    assert found.distance_counts == tuple(np.bincount(np.abs(truth - answer), minlength=4))
    if len(set(truth) | set(answer)) == 1:
        assert found.weighted_kappa.estimate is None
    else:
        expected = cohen_kappa_score(truth, answer, weights="quadratic", labels=range(4))
        assert found.weighted_kappa.estimate == pytest.approx(expected, abs=EXACT)


def test_a_mistake_far_off_costs_more_than_one_close_by() -> None:
    labels = np.tile([2, 0, 1, 3], 25)  # none, mild, moderate, severe
    near, far = labels.copy(), labels.copy()
    near[0::4], far[0::4] = 0, 3
    assert (
        measured(labels, near).weighted_kappa.estimate
        > measured(  # type: ignore[operator]
            labels, far
        ).weighted_kappa.estimate
    )
    assert measured(labels, far).distance_counts == (75, 0, 0, 25)


def test_all_right_is_not_certain() -> None:
    labels = np.tile([0, 1, 2, 3], 10)
    found = measured(labels, labels)
    assert found.weighted_kappa.estimate == 1.0
    assert found.weighted_kappa.low is not None
    assert found.weighted_kappa.low < 0.99
    assert found.mean_distance.high is not None
    assert found.mean_distance.high > 0.05


def test_groups_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    patient = np.repeat(np.arange(20), 10)
    labels = np.repeat(generator.integers(0, 4, 20), 10)
    predictions = np.where(np.repeat(generator.random(20) < 0.7, 10), labels, (labels + 1) % 4)
    alone = measured(labels, predictions).weighted_kappa
    grouped = measured(labels, predictions, groups=patient).weighted_kappa
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)  # type: ignore[operator]


def test_one_group_has_no_interval() -> None:
    found = measured([0, 1, 2, 3], [0, 1, 2, 0], groups=np.zeros(4, np.int64))
    assert found.weighted_kappa.estimate is not None
    assert found.weighted_kappa.low is None
    assert "no interval can be given" in describe_ordered(found)


def test_one_class_alone_has_no_kappa() -> None:
    found = measured([1, 1, 1], [1, 1, 1])
    assert found.weighted_kappa.estimate is None
    assert "undefined" in describe_ordered(found)


def test_an_order_is_read_as_written() -> None:
    assert read_order(" none<mild <moderate< severe", NAMES) == ORDER


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none<mild<moderat<severe", "Did you mean 'moderate'"),
        ("none<mild<severe", "leaves out 'moderate'"),
        ("none<mild<mild<moderate<severe", "'mild' more than once"),
        ("low<high", "The classes are mild, moderate, none, severe"),
        ("", "names '', which is no class"),
    ],
)
def test_an_order_of_other_classes_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_order(text, NAMES)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("10", "2", "9"), ("2", "9", "10")),
        (("KL-4", "KL-0", "KL-2"), ("KL-0", "KL-2", "KL-4")),
        (("Stage_3", "stage_1", "stage_2"), ("stage_1", "stage_2", "Stage_3")),
        (("1.5", "0.5", "1"), ("0.5", "1", "1.5")),
        (("class 1", "class 2", "class 3"), None),
        (("grade 1", "stage 2", "stage 3"), None),
        (("1", "2", "other"), None),
        (("1", "1.0", "2"), None),
        (("0", "1"), None),
    ],
)
def test_an_order_is_found_in_numbers_alone(
    names: tuple[str, ...], order: tuple[str, ...] | None
) -> None:
    assert find_order(names) == order


def test_words_say_where_the_order_came_from_and_json_keeps_it() -> None:
    found = measured([0, 1, 2, 3], [0, 1, 2, 0], origin="names")
    assert "--ordered none" in describe_ordered(found)
    assert "1 of 4 are two steps off" in describe_ordered(found)
    assert from_json(OrderedClasses, to_json(found)) == found
