"""Whether new images come from where the training images came from, with or without labels.

Two permutation tests: one of the features, one of the predicted classes. Each group gives one
image, chosen at random, so that images of one patient or part count once and a group of hundreds
weighs no more than a single image. If both sets come from one source, who is called new is then
arbitrary, and the tests are exact whatever the network and the sizes of the groups. The alarm is
raised where either p-value is at most half the stated false-alarm rate (Bonferroni).

Features are compared by the energy distance (Székely & Rizzo 2013, J. Statistical Planning and
Inference 143, 1249-1272), after scaling to length one and a random projection to 64 numbers
(Achlioptas 2003, J. Computer and System Sciences 66, 671-687). The projection does not depend on
any image: one fitted to the training images, such as their principal components, would make them
look different from new ones by itself. Both samples are then whitened together, so that a small
but steady change is not drowned by how much the classes differ. Predicted classes are compared by
their shares, as a test of shift (Lipton et al. 2018, arXiv 1802.03916).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.evaluation.inputs import Bools, Floats, Ints, as_rows

FALSE_ALARM_RATE = 0.02
NUM_PROJECTED = 64
MAX_SAMPLE = 1000
_NUM_PERMUTATIONS = 999
_RIDGE = 0.1
_PROJECTION_SEED = 20_240_229

Half = NDArray[np.float16]
_Name = Literal["features", "predicted classes"]


@dataclass(frozen=True, slots=True)
class DriftTest:
    """One permutation test over groups.

    ``statistic`` is the energy distance between the two whitened samples, or half the sum of the
    absolute differences between shares of predicted classes; one image a group counts.
    ``p_value`` is ``None`` where the groups are too few to raise an alarm at all; ``reason``
    says so.
    """

    name: _Name
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
    values: Floats = np.asarray(features, dtype=np.float64)
    lengths = np.sqrt((values**2).sum(axis=1, keepdims=True))
    values = np.asarray(values / np.where(lengths > 0.0, lengths, 1.0), dtype=np.float64)
    result: Half = (values @ _signs(values.shape[1])).astype(np.float16)
    return result


@lru_cache(maxsize=4)
def _signs(width: int) -> Floats:
    bits = np.asarray(np.random.PCG64(_PROJECTION_SEED).random_raw(width))
    bits = (bits[:, None] >> np.arange(NUM_PROJECTED, dtype=np.uint64)) & np.uint64(1)
    result: Floats = np.where(bits == 1, 1.0, -1.0)
    return result


def sample_features(features: ArrayLike, groups: ArrayLike, *, seed: int = 0) -> Half:
    """Returns projected features of one image a group, of at most 1,000 groups, shape [M, 64].

    Args:
        features: Shape [N, D].
        groups: Which images belong together, shape [N].
        seed: Chooses the images.
    """
    values = np.asarray(features, dtype=np.float32)
    members = as_rows(groups, num_images=len(values), name="groups")
    return project(values[_one_a_group(members, seed=seed, most=MAX_SAMPLE)])


def judge_drift(
    training: Half | None,
    new: Half,
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
        training: From :func:`sample_features`; ``None`` where a run kept none.
        new: Projected features of every new image, shape [M, 64].
        training_classes: Predicted class of each training image, out of fold, shape [N].
        training_groups: Their groups, shape [N].
        new_classes: Predicted class of each new image, shape [M].
        new_groups: Their groups, shape [M].
        num_classes: K.
        false_alarm_rate: Of both tests together.
        seed: Chooses the images, and seeds the permutations.
    """
    level = false_alarm_rate / 2.0
    kept = _one_a_group(new_groups, seed=seed)
    tests = (
        _test_features(training, new[kept[:MAX_SAMPLE]], level=level, seed=seed),
        _test_classes(
            training_classes[_one_a_group(training_groups, seed=seed)],
            new_classes[kept],
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


def whiten(values: ArrayLike) -> Floats:
    """Returns values with about the same variance in every direction, shape [N, D].

    A tenth of the mean variance is added to each, so that directions in which hardly anything
    varies stay small. Both samples are whitened as one: which image is of which plays no part.
    """
    centred: Floats = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variances = np.maximum(variances, 0.0)
    scales = np.sqrt(variances + max(_RIDGE * float(variances.mean()), 1e-12))
    result: Floats = (centred @ directions) / scales
    return result


def _one_a_group(groups: Ints, *, seed: int, most: int | None = None) -> Ints:
    """Returns the row of one image of each group, groups and images in a shuffled order."""
    order = np.random.default_rng(seed).permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    # In the order of the shuffled images large groups would come first.
    first = first[np.random.default_rng(seed + 1).permutation(len(first))]
    return order[first[:most]].astype(np.int64)


def _test_features(training: Half | None, new: Half, *, level: float, seed: int) -> DriftTest:
    if training is None:
        return DriftTest(
            "features", None, None, 0, 0, "This run kept no features: train again to have them."
        )
    values = whiten(np.concatenate([training, new]))
    distances = _distances(values, values)
    reaches = distances.sum(axis=1)
    total, size = float(reaches.sum()), len(values)

    def statistic(drawn: Bools) -> Floats:
        weights = drawn.astype(np.float64)
        inside = np.einsum("pg,pg->p", weights, weights @ distances)
        across = weights @ reaches - inside
        outside = total - inside - 2.0 * across
        num_new = weights.sum(axis=1)
        num_training = size - num_new
        result: Floats = (
            2.0 * across / (num_new * num_training)
            - inside / num_new**2
            - outside / num_training**2
        )
        return result

    distance = energy_distance(values[: len(training)], values[len(training) :])
    counts = (len(training), len(new))
    return _permute("features", distance, statistic, counts, level=level, seed=seed)


def _test_classes(
    training: Ints, new: Ints, *, num_classes: int, level: float, seed: int
) -> DriftTest:
    is_class = np.eye(num_classes)[np.concatenate([training, new])]
    whole = is_class.sum(axis=0)

    def statistic(drawn: Bools) -> Floats:
        inside = drawn.astype(np.float64) @ is_class
        num_new = inside.sum(axis=1, keepdims=True)
        gaps = inside / num_new - (whole - inside) / (len(is_class) - num_new)
        result: Floats = (gaps**2 / np.maximum(whole, 1.0)).sum(axis=1)
        return result

    shares = [np.bincount(one, minlength=num_classes) / len(one) for one in (training, new)]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2.0)
    counts = (len(training), len(new))
    return _permute("predicted classes", distance, statistic, counts, level=level, seed=seed)


def _permute(
    name: _Name,
    distance: float,
    statistic: Callable[[Bools], Floats],
    counts: tuple[int, int],
    *,
    level: float,
    seed: int,
) -> DriftTest:
    if math.comb(sum(counts), counts[1]) * level < 1.0:
        reason = (
            f"{counts[0]:,} training and {counts[1]:,} new groups are too few: even the most "
            "unlike could be chance."
        )
        return DriftTest(name, distance, None, *counts, reason)
    is_new = np.arange(sum(counts)) >= counts[0]
    random = np.random.default_rng(seed)
    observed = float(statistic(is_new[None])[0])
    as_far = 1
    chunk = max(1, 4_000_000 // len(is_new))
    for start in range(0, _NUM_PERMUTATIONS, chunk):
        number = min(chunk, _NUM_PERMUTATIONS - start)
        drawn = random.permuted(np.tile(is_new, (number, 1)), axis=1)
        # What differs by rounding alone is as far.
        as_far += int((statistic(drawn) >= observed - 1e-9 * abs(observed)).sum())
    return DriftTest(name, distance, as_far / (_NUM_PERMUTATIONS + 1), *counts)


def _distances(first: Floats, second: Floats) -> Floats:
    squared = (
        (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2.0 * first @ second.T
    )
    if first is second:
        np.fill_diagonal(squared, 0.0)
    result: Floats = np.sqrt(np.maximum(squared, 0.0))
    return result
