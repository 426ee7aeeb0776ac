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
    energy_distance,
    judge_drift,
    project,
    sample_features,
    whiten,
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
        project(new[0]),
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


def test_a_p_value_counts_the_ways_to_say_who_is_new() -> None:
    training, new = make_images(8, per_group=1, seed=1), make_images(3, per_group=1, seed=2)
    new[0][:] *= np.where(np.arange(96) % 2, 1.4, 0.6)
    found = judge(training, new).tests[0]
    values = whiten(np.concatenate([project(training[0]), project(new[0])]))

    def distance(chosen: tuple[int, ...]) -> float:
        is_new = np.isin(np.arange(11), chosen)
        return energy_distance(values[~is_new], values[is_new])

    every = np.array([distance(chosen) for chosen in itertools.combinations(range(11), 3)])
    exact = np.mean(every >= distance((8, 9, 10)) - 1e-9)
    assert 0.0 < exact < 0.5
    assert found.statistic == pytest.approx(distance((8, 9, 10)), abs=1e-9)
    assert found.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact / 999) + 0.002)


def test_a_p_value_of_two_classes_is_that_of_fisher() -> None:
    _, groups, _ = make_images(40, per_group=1, seed=3)
    classes = np.array([0] * 18 + [1] * 12 + [0] * 2 + [1] * 8)
    found = judge_drift(
        None,
        np.zeros((10, 64), np.float16),
        training_classes=classes[:30],
        training_groups=groups[:30],
        new_classes=classes[30:],
        new_groups=groups[:10],
        num_classes=2,
    ).tests[1]
    # Two-sided as the permutations are: every table whose shares differ by as much or more.
    chances = {zeros: stats.hypergeom.pmf(zeros, 40, 20, 10) for zeros in range(11)}
    gap = {zeros: abs(zeros / 10 - (20 - zeros) / 30) for zeros in chances}
    exact = sum(chances[zeros] for zeros in chances if gap[zeros] >= gap[2] - 1e-12)
    assert found.statistic == pytest.approx(0.4, abs=1e-12)
    assert found.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact / 999) + 0.002)


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
        project(features),
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
    assert found.tests[1].statistic == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize(("num_training", "num_new"), [(40, 1), (5, 2), (1, 1)])
def test_too_few_groups_are_no_alarm_and_no_all_clear(num_training: int, num_new: int) -> None:
    found = judge(make_images(num_training, seed=6), make_images(num_new, shift=5.0, seed=7))
    assert found.verdict == "unavailable"
    assert all("too few" in (one.reason or "") for one in found.tests)


@pytest.mark.parametrize(("sizes", "new_sizes"), [((1, 40), (12, 8)), ((12, 20), (1, 20))])
def test_groups_of_other_sizes_are_no_drift(
    sizes: tuple[int, int], new_sizes: tuple[int, int]
) -> None:
    alarms = 0
    for seed in range(60):
        training = make_images(sizes[1], per_group=sizes[0], seed=seed)
        new = make_images(new_sizes[1], per_group=new_sizes[0], seed=5000 + seed)
        alarms += judge(training, new).verdict == "drift"
    assert alarms <= 4


def test_a_sample_is_small_and_has_one_image_a_group() -> None:
    features, groups, _ = make_images(1200, per_group=4, seed=8)
    sample = sample_features(features, groups)
    assert sample.shape == (1000, 64)
    assert sample.nbytes == 128_000
    few = sample_features(features[:40], groups[:40])
    every = project(features[:40])
    found = [int(groups[np.flatnonzero((every == one).all(axis=1))[0]]) for one in few]
    assert sorted(found) == list(range(10))


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


def test_whitening_is_that_of_the_covariance() -> None:
    values = np.random.default_rng(13).normal(size=(500, 4)) @ np.diag([9.0, 3.0, 1.0, 0.5])
    found = np.cov(whiten(values).T, bias=True)
    variances = np.linalg.eigvalsh(np.cov(values.T, bias=True))
    assert found == pytest.approx(
        np.diag(variances / (variances + 0.1 * variances.mean())), abs=1e-12
    )


def test_the_same_seed_gives_the_same_verdict() -> None:
    training, new = make_images(30, seed=11), make_images(15, seed=12)
    assert judge(training, new) == judge(training, new)
