"""Whether new images come from where the training images came from, with or without labels.

Two tests: one of the features, one of the predicted classes. Both shuffle whole groups between
the training images and the new ones (a permutation test), so they are exact where groups are
exchangeable, whatever the network. An alarm is raised where either p-value is at most half the
stated false-alarm rate (Bonferroni).

Features are compared by the energy distance (Székely & Rizzo 2013, J. Statistical Planning and
Inference 143, 1249-1272), after scaling to length one and a random projection to 64 numbers
(Achlioptas 2003, J. Computer and System Sciences 66, 671-687). The projection does not depend on
any image: one fitted to the training images, such as their principal components, would make them
look different from new ones by itself. Predicted classes are compared by their shares, as a test
of shift (Lipton et al. 2018, arXiv 1802.03916).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.evaluation.inputs import Bools, Floats, Ints, as_rows, compact

FALSE_ALARM_RATE = 0.02
NUM_PROJECTED = 64
MAX_SAMPLE = 1000
_NUM_PERMUTATIONS = 999
_PROJECTION_SEED = 20_240_229

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class FeatureSample:
    """Features of training images, small enough to keep: projected, of whole groups.

    Attributes:
        projected: Shape [M, 64].
        groups: Group of each, shape [M].
    """

    projected: Half
    groups: Ints


@dataclass(frozen=True, slots=True)
class DriftTest:
    """One permutation test over groups.

    ``statistic`` is the energy distance between the two samples, or half the sum of the absolute
    differences between shares of predicted classes. ``p_value`` is ``None`` where the groups are
    too few to raise an alarm at all; ``reason`` says so.
    """

    name: Literal["features", "predicted classes"]
    statistic: float | None
    p_value: float | None
    num_training_groups: int
    num_new_groups: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether the new images are like the training images.

    ``"drift"``: a test raised the alarm; ``"not shown"``: none did; ``"unavailable"``: no test
    could be made. Of data from the same source at most ``false_alarm_rate`` raise it.
    """

    verdict: Literal["drift", "not shown", "unavailable"]
    false_alarm_rate: float
    tests: tuple[DriftTest, ...]


def project(features: ArrayLike) -> Half:
    """Returns features of length one under a fixed random projection, shape [N, 64].

    Signs come from the bits of one generator whose stream never changes, a word a feature.

    Args:
        features: Shape [N, D].
    """
    values = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    values = values / np.where(lengths > 0.0, lengths, 1.0)
    bits = np.random.PCG64(_PROJECTION_SEED).random_raw(values.shape[1])
    signs = (np.asarray(bits)[:, None] >> np.arange(NUM_PROJECTED, dtype=np.uint64)) & np.uint64(1)
    result: Half = (values @ (2.0 * signs - 1.0)).astype(np.float16)
    return result


def sample_features(features: ArrayLike, groups: ArrayLike, *, seed: int = 0) -> FeatureSample:
    """Returns the projected features of about 1,000 images, whole groups of them.

    Args:
        features: Shape [N, D].
        groups: Which images belong together, shape [N].
        seed: Chooses the groups.
    """
    values = np.asarray(features, dtype=np.float32)
    members, _ = compact(as_rows(groups, num_images=len(values), name="groups"))
    rows = _whole_groups(members, seed)
    return FeatureSample(project(values[rows]), members[rows])


def judge_drift(
    training: FeatureSample | None,
    new: FeatureSample,
    *,
    training_classes: Ints,
    training_groups: Ints,
    new_classes: Ints,
    new_groups: Ints,
    num_classes: int,
    false_alarm_rate: float = FALSE_ALARM_RATE,
    seed: int = 0,
) -> Drift:
    """Tests whether new images are like the training images.

    Args:
        training: Features of training images; ``None`` where a run kept none.
        new: Features of the new images.
        training_classes: Predicted class of each training image, out of fold, shape [N].
        training_groups: Their groups, shape [N].
        new_classes: Predicted class of each new image, shape [M].
        new_groups: Their groups, shape [M].
        num_classes: K.
        false_alarm_rate: Of both tests together.
        seed: Seeds the permutations.
    """
    level = false_alarm_rate / 2.0
    tests = (
        _test_features(training, new, level=level, seed=seed),
        _test_classes(
            training_classes,
            training_groups,
            new_classes,
            new_groups,
            num_classes=num_classes,
            level=level,
            seed=seed,
        ),
    )
    known = [one.p_value for one in tests if one.p_value is not None]
    if not known:
        return Drift("unavailable", false_alarm_rate, tests)
    return Drift("drift" if min(known) <= level else "not shown", false_alarm_rate, tests)


def energy_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Returns 2 E|X - Y| - E|X - X'| - E|Y - Y'| of two samples, shapes [N, D] and [M, D].

    >>> energy_distance([[0.0], [0.0]], [[1.0], [1.0]])
    2.0
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return float(
        2 * _distances(one, other).mean()
        - _distances(one, one).mean()
        - _distances(other, other).mean()
    )


def _test_features(
    training: FeatureSample | None, new: FeatureSample, *, level: float, seed: int
) -> DriftTest:
    if training is None:
        return DriftTest(
            "features", None, None, 0, 0, "This run kept no features: train again to have them."
        )
    kept = _whole_groups(new.groups, seed)
    values = np.concatenate([training.projected, new.projected[kept]]).astype(np.float64)
    members, is_new = _pooled(training.groups, new.groups[kept])
    sizes = np.bincount(members).astype(np.float64)
    by_group = _sum_by_group(_distances(values, values), members, len(sizes))
    reaches = by_group.sum(axis=1)
    total = float(reaches.sum())

    def statistic(drawn: Bools) -> Floats:
        weights = drawn.astype(np.float64)
        inside = np.einsum("pg,pg->p", weights, weights @ by_group)
        across = weights @ reaches - inside
        outside = total - inside - 2.0 * across
        num_new = weights @ sizes
        num_training = sizes.sum() - num_new
        distance = (
            2.0 * across / (num_new * num_training)
            - inside / num_new**2
            - outside / num_training**2
        )
        result: Floats = distance * num_new * num_training / sizes.sum()
        return result

    distance = energy_distance(values[: len(training.groups)], values[len(training.groups) :])
    return _permute("features", distance, statistic, is_new, level=level, seed=seed)


def _test_classes(
    training: Ints,
    training_groups: Ints,
    new: Ints,
    new_groups: Ints,
    *,
    num_classes: int,
    level: float,
    seed: int,
) -> DriftTest:
    members, is_new = _pooled(training_groups, new_groups)
    classes = np.concatenate([training, new])
    counts = np.bincount(members * num_classes + classes, minlength=len(is_new) * num_classes)
    counts = counts.reshape(len(is_new), num_classes).astype(np.float64)
    whole = counts.sum(axis=0)
    scale = np.maximum(whole, 1.0)

    def statistic(drawn: Bools) -> Floats:
        inside = drawn.astype(np.float64) @ counts
        num_new = inside.sum(axis=1, keepdims=True)
        num_training = whole.sum() - num_new
        gaps = inside / num_new - (whole - inside) / num_training
        result: Floats = (gaps**2 / scale).sum(axis=1) * (num_new * num_training)[:, 0]
        return result

    shares = [np.bincount(one, minlength=num_classes) / max(1, len(one)) for one in (training, new)]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2.0)
    return _permute("predicted classes", distance, statistic, is_new, level=level, seed=seed)


def _permute(
    name: Literal["features", "predicted classes"],
    distance: float,
    statistic: object,
    is_new: Bools,
    *,
    level: float,
    seed: int,
) -> DriftTest:
    num_new, num_groups = int(is_new.sum()), len(is_new)
    facts = (num_groups - num_new, num_new)
    if math.comb(num_groups, num_new) * level < 1.0:
        reason = (
            f"{facts[0]:,} training and {num_new:,} new groups are too few: even the most "
            "unlike could be chance."
        )
        return DriftTest(name, distance, None, *facts, reason)
    assert callable(statistic)
    random = np.random.default_rng(seed)
    observed = float(statistic(is_new[None])[0])
    as_far = 1
    chunk = max(1, 4_000_000 // num_groups)
    for start in range(0, _NUM_PERMUTATIONS, chunk):
        number = min(chunk, _NUM_PERMUTATIONS - start)
        drawn = random.permuted(np.tile(is_new, (number, 1)), axis=1)
        # What differs by rounding alone is as far.
        as_far += int((statistic(drawn) >= observed * (1.0 - 1e-9)).sum())
    return DriftTest(name, distance, as_far / (_NUM_PERMUTATIONS + 1), *facts)


def _pooled(training: Ints, new: Ints) -> tuple[Ints, Bools]:
    """Returns groups of both, numbered on, and which of them are new."""
    first, num_first = compact(training)
    second, num_second = compact(new)
    is_new = np.arange(num_first + num_second) >= num_first
    return np.concatenate([first, num_first + second]), is_new


def _whole_groups(groups: Ints, seed: int) -> Ints:
    """Returns the rows of about ``MAX_SAMPLE`` images, whole groups in a shuffled order."""
    members, num_groups = compact(groups)
    if len(members) <= MAX_SAMPLE:
        return np.arange(len(members))
    order = np.random.default_rng(seed).permutation(num_groups)
    filled = np.cumsum(np.bincount(members)[order])
    # At least two groups, or nothing could be shuffled.
    chosen = order[: max(2, int(np.searchsorted(filled, MAX_SAMPLE, side="right")))]
    rows = np.flatnonzero(np.isin(members, chosen))
    if len(rows) <= 2 * MAX_SAMPLE:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_SAMPLE, replace=False))


def _distances(first: Floats, second: Floats) -> Floats:
    squared = (
        (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2.0 * first @ second.T
    )
    if first is second:
        np.fill_diagonal(squared, 0.0)
    result: Floats = np.sqrt(np.maximum(squared, 0.0))
    return result


def _sum_by_group(distances: Floats, members: Ints, num_groups: int) -> Floats:
    if num_groups == len(members):
        order = np.argsort(members)
        return distances[np.ix_(order, order)]
    summed = np.zeros((num_groups, len(members)))
    np.add.at(summed, members, distances)
    result = np.zeros((num_groups, num_groups))
    np.add.at(result, members, summed.T)
    return result.T
