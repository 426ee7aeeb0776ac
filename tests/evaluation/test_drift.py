from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foveal.evaluation.drift import (
    Drift,
    FeatureSample,
    energy_distance,
    judge_drift,
    project,
    sample_features,
)


def make_images(
    num_groups: int, *, per_group: int = 3, shift: float = 0.0, width: int = 96, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features whose groups differ more than their images, groups, and predicted classes."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(num_groups), per_group)
    features = 1.0 + random.normal(size=(num_groups, width))[groups]
    features += 0.4 * random.normal(size=features.shape)
    features += shift * np.where(np.arange(width) % 2, 1.0, -1.0)
    return features, groups, (features[:, 0] > 1.0).astype(np.int64)


def judge(training: tuple[np.ndarray, ...], new: tuple[np.ndarray, ...], **more: float) -> Drift:
    return judge_drift(
        sample_features(*training[:2]),
        sample_features(*new[:2]),
        training_classes=training[2],
        training_groups=training[1],
        new_classes=new[2],
        new_groups=new[1],
        num_classes=2,
        **more,  # type: ignore[arg-type]
    )


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=12),
    st.lists(st.integers(-50, 50), min_size=1, max_size=12),
)
def test_in_one_dimension_the_distance_is_that_of_scipy(
    first: list[int], second: list[int]
) -> None:
    found = energy_distance(np.array(first)[:, None], np.array(second)[:, None])
    assert found == pytest.approx(stats.energy_distance(first, second) ** 2, abs=1e-9)


def test_a_p_value_counts_the_ways_to_deal_the_groups_out() -> None:
    training, new = make_images(8, seed=1), make_images(3, shift=0.3, seed=2)
    found = judge(training, new).tests[0]
    sample, other = sample_features(*training[:2]), sample_features(*new[:2])
    values = np.concatenate([sample.projected, other.projected]).astype(float)
    groups = np.concatenate([sample.groups, 8 + other.groups])

    def scaled(chosen: tuple[int, ...]) -> float:
        is_new = np.isin(groups, chosen)
        size = is_new.sum() * (~is_new).sum() / len(is_new)
        return size * energy_distance(values[~is_new], values[is_new])

    every = np.array([scaled(chosen) for chosen in itertools.combinations(range(11), 3)])
    exact = np.mean(every >= scaled((8, 9, 10)) - 1e-9)
    assert found.statistic == pytest.approx(energy_distance(values[:24], values[24:]), abs=1e-12)
    assert found.p_value == pytest.approx(
        exact, abs=4 * math.sqrt(exact * (1 - exact) / 999) + 0.002
    )


def test_of_one_source_few_raise_the_alarm() -> None:
    alarms = [
        judge(make_images(30, seed=seed), make_images(20, seed=10_000 + seed)).verdict == "drift"
        for seed in range(120)
    ]
    # At most 2% are promised; of 120, seven or more would come less than once in 60 tries.
    assert sum(alarms) <= 6


def test_images_of_a_group_do_not_count_as_independent() -> None:
    # Twelve near-copies of five patients would pass for a shift if they counted one by one.
    alarms = {"grouped": 0, "loose": 0}
    for seed in range(25):
        training = make_images(40, per_group=1, seed=seed)
        features, groups, classes = make_images(5, per_group=12, seed=500 + seed)
        alarms["grouped"] += judge(training, (features, groups, classes)).verdict == "drift"
        loose = (features, np.arange(60), classes)
        alarms["loose"] += judge(training, loose).verdict == "drift"
    assert alarms["grouped"] <= 3
    assert alarms["loose"] >= 15


@pytest.mark.parametrize("per_group", [1, 3])
def test_a_shift_of_the_features_is_seen(per_group: int) -> None:
    training = make_images(60, per_group=per_group, seed=3)
    new = make_images(30, per_group=per_group, shift=0.5, seed=4)
    found = judge(training, (*new[:2], training[2][: len(new[1])]))
    assert found.verdict == "drift"
    assert found.tests[0].p_value == 0.001


def test_a_shift_of_the_predicted_classes_is_seen_without_features() -> None:
    features, groups, classes = make_images(80, seed=5)
    found = judge_drift(
        None,
        sample_features(features, groups),
        training_classes=classes,
        training_groups=groups,
        new_classes=np.ones(len(groups), np.int64),
        new_groups=groups,
        num_classes=2,
    )
    assert found.verdict == "drift"
    assert found.tests[0].p_value is None
    assert "kept no features" in (found.tests[0].reason or "")
    share = np.mean(classes == 0)
    assert found.tests[1].statistic == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("num_training", "num_new"), [(40, 1), (5, 2), (1, 1)])
def test_too_few_groups_are_no_alarm_and_no_all_clear(num_training: int, num_new: int) -> None:
    found = judge(make_images(num_training, seed=6), make_images(num_new, shift=5.0, seed=7))
    assert found.verdict == "unavailable"
    assert all("too few" in (one.reason or "") for one in found.tests)


def test_a_sample_is_small_and_of_whole_groups() -> None:
    features, groups, _ = make_images(900, per_group=4, seed=8)
    sample = sample_features(features, groups)
    assert sample.projected.dtype == np.float16
    assert 990 <= len(sample.groups) <= 1000
    assert set(np.unique(sample.groups, return_counts=True)[1]) == {4}
    assert sample.projected.nbytes < 130_000


def test_two_huge_groups_are_thinned() -> None:
    features, groups, _ = make_images(2, per_group=3000, width=8, seed=9)
    sample = sample_features(features, groups)
    assert len(sample.groups) == 1000
    assert len(np.unique(sample.groups)) == 2


def test_a_projection_keeps_distances() -> None:
    features, _, _ = make_images(40, per_group=1, width=1280, seed=10)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    true = np.linalg.norm(unit[:, None] - unit[None], axis=2)[np.triu_indices(40, 1)]
    seen = project(features).astype(float)
    shown = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(40, 1)] / 8.0
    assert shown / true == pytest.approx(np.ones(len(true)), abs=0.4)
    assert np.mean(shown / true) == pytest.approx(1.0, abs=0.03)


def test_a_projection_never_changes() -> None:
    # Runs keep projected features: another stream of signs would make every new image look new.
    found = project(np.eye(3, 4))
    assert np.abs(found.astype(int)).max() == 1
    bits = ["".join("1" if one > 0 else "0" for one in row[:16]) for row in found]
    assert [int(word, 2) for word in bits] == [22209, 19143, 40093]


def test_the_same_seed_gives_the_same_verdict() -> None:
    training, new = make_images(30, seed=11), make_images(15, seed=12)
    assert judge(training, new) == judge(training, new)
    assert isinstance(sample_features(*training[:2]), FeatureSample)
