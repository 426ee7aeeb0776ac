"""Figures by subgroup, and whether subgroups differ beyond chance.

A subgroup that holds more of a hard class scores lower without being treated any worse. What is
compared is therefore the **excess accuracy**: right (1) or wrong (0) minus the recall that the
image's class has over all images, averaged over the subgroup (indirect standardisation). Two
subgroups of the same mix of classes differ in it exactly as in accuracy.

* **Test.** The largest difference of two subgroups for its standard error, against the same in
  permutations of the subgroups (Chung & Romano 2013, Annals of Statistics 41, 484-507: with a
  studentised statistic it holds also where variances differ). Whole groups are permuted; within a
  group of several subgroups its images are. Holm (1979, Scandinavian J. Statistics 6, 65-70)
  corrects for the number of traits.
* **Spread between groups** (patients, sites, modules): ``group_spread``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.evaluation.evidence import (
    Interval,
    Subgroup,
    SubgroupGap,
    Subgroups,
    SubgroupTrait,
)
from foveal.evaluation.group_spread import measure_spread, permutation_numbers
from foveal.evaluation.inputs import Floats, Ints, as_labels, as_rows, compact
from foveal.evaluation.intervals import (
    bounded,
    hull,
    student_quantile,
    subtracted,
)
from foveal.evaluation.metrics import measure_recalls
from foveal.evaluation.resampling import group_sums

if TYPE_CHECKING:
    from foveal.dataset.traits import Trait

MIN_IMAGES = 20
"""A subgroup of fewer images has no figures: their interval would span half of all there is."""
MIN_CLASS_IMAGES = 10
# Classes beyond which sensitivity by subgroup is left out: nobody reads hundreds of figures.
_MAX_CLASSES = 12
_NUM_RESAMPLES = 2000
# After this many exceedances a p-value is known well enough to stop (Besag & Clifford 1991).
_ENOUGH_EXCEEDANCES = 10
_CHUNK = 4_000_000


def measure_subgroups(
    predictions: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    traits: Sequence[Trait],
    *,
    class_names: Sequence[str],
    group_source: str | None = None,
    seed: int = 0,
) -> Subgroups | None:
    """Returns the figures of every subgroup and whether they differ.

    Args:
        predictions: Predicted class of each image, shape [N].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        traits: Ways to part the images; those with one value alone are left out.
        class_names: One name a class.
        group_source: Where groups come from, as a phrase; the spread between them is measured
            where there is one.
        seed: Seeds bootstrap and permutations.

    Returns:
        None where no trait parts the images and no groups are known.

    Raises:
        UsageError: Shapes disagree.
    """
    num_images, num_classes = np.asarray(labels).size, len(class_names)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    answered = as_rows(predictions, num_images=num_images, name="predictions")
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    right = (truth == answered).astype(np.float64)
    excess = right - _class_means(right, truth, num_classes)[truth]
    images = _Images(answered, excess, truth, members, num_classes)
    measured = [
        _measure_trait(trait, images, seed=seed) for trait in traits if len(set(trait.values)) > 1
    ]
    spread = None
    if group_source is not None and num_groups < num_images:
        spread = measure_spread(excess, truth, members, source=group_source, seed=seed)
    if not measured and spread is None:
        return None
    return Subgroups(tuple(class_names), _adjusted(measured), spread, MIN_IMAGES)


@dataclass(frozen=True, slots=True)
class _Images:
    """Predicted class, right (1) or wrong (0) minus the class's recall, class, group; each [N]."""

    predictions: Ints
    excess: Floats
    labels: Ints
    groups: Ints
    num_classes: int


def _class_means(values: Floats, labels: Ints, num_classes: int) -> Floats:
    """Returns the mean of each class's images, shape [K]; 0 for a class without."""
    sums = np.bincount(labels, weights=values, minlength=num_classes)
    counts = np.bincount(labels, minlength=num_classes)
    result: Floats = sums / np.maximum(counts, 1)
    return result


def _measure_trait(trait: Trait, images: _Images, *, seed: int) -> SubgroupTrait:
    names = tuple(sorted(set(trait.values), key=trait.order))
    index = {name: position for position, name in enumerate(names)}
    parts = np.array([index[value] for value in trait.values], dtype=np.int64)
    subgroups = tuple(
        _measure_subgroup(name, np.flatnonzero(parts == position), images, seed=seed)
        for position, name in enumerate(names)
    )
    shown = [position for position, one in enumerate(subgroups) if one.accuracy is not None]
    gap, reason = None, ""
    if len(shown) < 2:
        reason = f"Fewer than two of its parts have {MIN_IMAGES} images."
    elif any(subgroups[position].num_groups < 2 for position in shown):
        reason = (
            "A part consists of one group alone (one patient, site or module), so that its own "
            "traits cannot be told from those of the part."
        )
    else:
        gap = _find_gap(np.array(shown), parts, images, subgroups, seed=seed)
    return SubgroupTrait(trait.name, trait.origin, subgroups, gap, reason)


def _measure_subgroup(name: str, rows: Ints, images: _Images, *, seed: int) -> Subgroup:
    members, num_groups = compact(images.groups[rows])
    if len(rows) < MIN_IMAGES:
        return Subgroup(name, len(rows), num_groups, None, None, (), None)
    labels, num_classes = images.labels[rows], images.num_classes
    is_readable = num_classes <= _MAX_CLASSES
    rates = measure_recalls(
        labels,
        images.predictions[rows],
        members,
        num_classes=num_classes,
        seed=seed,
        num_resamples=_NUM_RESAMPLES if is_readable else _NUM_RESAMPLES // 4,
    )
    sizes = np.bincount(labels, minlength=num_classes)
    return Subgroup(
        name=name,
        num_images=len(rows),
        num_groups=num_groups,
        accuracy=rates.accuracy,
        balanced_accuracy=rates.balanced_accuracy,
        recalls=tuple(
            recall if size >= MIN_CLASS_IMAGES else None
            for recall, size in zip(rates.recalls, sizes, strict=True)
        )
        if is_readable
        else (),
        excess=float(images.excess[rows].mean()),
    )


def _find_gap(
    shown: Ints, parts: Ints, images: _Images, subgroups: Sequence[Subgroup], *, seed: int
) -> SubgroupGap:
    """Returns the pair that lies farthest apart for its standard error, and its test.

    Args:
        shown: The parts that are compared, [J].
        parts: Part of each image, shape [N].
        images: The images.
        subgroups: The figures of each part.
        seed: Seeds the permutations.
    """
    kept = np.isin(parts, shown)
    index = np.full(len(subgroups), -1)
    index[shown] = np.arange(len(shown))
    codes = index[parts[kept]]
    groups, _ = compact(images.groups[kept])
    excess = images.excess[kept]
    means, variances = _means_and_variances(codes[None, :], excess, groups, len(shown))
    statistics, pairs = _largest(means, variances)
    high, low = pairs[0]
    permuted = _permuted(codes, excess, groups, len(shown), observed=statistics[0], seed=seed)
    p_value = (1 + int((permuted >= statistics[0] - 1e-9).sum())) / (1 + len(permuted))
    difference = float(means[0, high] - means[0, low])
    error = max(
        _standard_error(int(shown[high]), int(shown[low]), parts, images),
        math.sqrt(float(variances[0, high] + variances[0, low])),
    )
    fewest = min(len(np.unique(groups[codes == part])) for part in (high, low))
    reach = max(student_quantile(fewest), float(np.quantile(permuted, 0.95))) * error
    highest, lowest = subgroups[int(shown[high])], subgroups[int(shown[low])]
    return SubgroupGap(
        highest=highest.name,
        lowest=lowest.name,
        difference=hull(
            bounded(difference, difference - reach, difference + reach, lowest=-1.0),
            _cautious(difference, highest.accuracy, lowest.accuracy),
        ),
        p_value=p_value,
        adjusted_p_value=p_value,
    )


def _cautious(difference: float, first: Interval | None, second: Interval | None) -> Interval:
    """Returns the difference with the reach that two accuracies have by square and add.

    Their intervals are sound also where mistakes are rare, which a variance of none is not.
    """
    if first is None or second is None:
        return Interval(difference, None, None)
    plain = subtracted(first, second)
    if plain.estimate is None or plain.low is None or plain.high is None:
        return Interval(difference, None, None)
    shift = difference - plain.estimate
    return bounded(difference, plain.low + shift, plain.high + shift, lowest=-1.0)


def _standard_error(high: int, low: int, parts: Ints, images: _Images) -> float:
    """Returns that of the difference of two parts' excess accuracies, groups respected.

    Each image's influence on the difference, summed by group: its own excess, and what it adds
    to the recall that all images of its class are compared with.
    """
    influence = np.zeros(len(parts))
    shares = np.zeros(images.num_classes)
    for part, sign in ((high, 1.0), (low, -1.0)):
        inside = parts == part
        num_groups = len(np.unique(images.groups[inside]))
        centred = images.excess[inside] - images.excess[inside].mean()
        influence[inside] += (
            sign * math.sqrt(num_groups / (num_groups - 1.0)) * centred / len(centred)
        )
        counts = np.bincount(images.labels[inside], minlength=images.num_classes)
        shares += sign * counts / len(centred)
    sizes = np.maximum(np.bincount(images.labels, minlength=images.num_classes), 1)
    influence -= (shares / sizes)[images.labels] * images.excess
    by_group = np.bincount(images.groups, weights=influence)
    return math.sqrt(float((by_group**2).sum()))


def _means_and_variances(
    codes: Ints, excess: Floats, groups: Ints, num_parts: int
) -> tuple[Floats, Floats]:
    """Returns the mean excess of each part and the variance of that mean over groups, [R, J].

    The variance is no smaller than that of a proportion without a mistake among as many images
    (Agresti & Coull 1998): a part where all is right is not known without error.

    Args:
        codes: Part of each image, one row a permutation, shape [R, N].
        excess: Shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        num_parts: J.
    """
    num_rows, num_groups = len(codes), int(groups.max()) + 1
    cells = (np.arange(num_rows)[:, None] * num_groups + groups) * num_parts + codes
    size = num_rows * num_groups * num_parts
    shape = (num_rows, num_groups, num_parts)
    weights = np.broadcast_to(excess, codes.shape).reshape(-1)
    sums = np.bincount(cells.reshape(-1), weights=weights, minlength=size).reshape(shape)
    counts = np.bincount(cells.reshape(-1), minlength=size).reshape(shape)
    totals = counts.sum(axis=1)
    means = sums.sum(axis=1) / totals
    squares = ((sums - means[:, None, :] * counts) ** 2).sum(axis=1)
    return means, _variances(squares, totals, (counts > 0).sum(axis=1))


def _variances(squares: Floats, totals: Floats | Ints, num_groups: Ints) -> Floats:
    scale = num_groups / np.maximum(num_groups - 1.0, 1.0)
    result: Floats = np.maximum(scale * squares / totals**2, 2.0 / (totals + 4.0) ** 2)
    return result


def _largest(means: Floats, variances: Floats) -> tuple[Floats, Ints]:
    """Returns the largest difference for its standard error, [R], and its (high, low), [R, 2]."""
    differences = means[:, :, None] - means[:, None, :]
    ratios = differences / np.sqrt(variances[:, :, None] + variances[:, None, :])
    flat = ratios.reshape(len(means), -1)
    best = flat.argmax(axis=1)
    pairs = np.stack(np.divmod(best, means.shape[1]), axis=1)
    return flat[np.arange(len(flat)), best], pairs


def _permuted(
    codes: Ints, excess: Floats, groups: Ints, num_parts: int, *, observed: float, seed: int
) -> Floats:
    """Returns the statistic in permutations of the parts, [R]; fewer where few settle it."""
    generator = np.random.default_rng(seed)
    first = np.full(int(groups.max()) + 1, -1)
    first[groups[::-1]] = codes[::-1]
    is_mixed = np.bincount(groups, weights=codes != first[groups]) > 0
    statistics: list[Floats] = []
    for number in permutation_numbers(len(codes)):
        if is_mixed.any():
            work = len(codes) + len(first) * num_parts
            chunk = max(1, _CHUNK // work)
            for start in range(0, number, chunk):
                rows = min(chunk, number - start)
                drawn = _permute_images(codes, groups, first, is_mixed, rows, generator)
                moments = _means_and_variances(drawn, excess, groups, num_parts)
                statistics.append(_largest(*moments)[0])
        else:
            statistics.append(_permute_groups(first, excess, groups, num_parts, number, generator))
        if int((np.concatenate(statistics) >= observed - 1e-9).sum()) >= _ENOUGH_EXCEEDANCES:
            break
    return np.concatenate(statistics)


def _permute_groups(
    part_of_group: Ints,
    excess: Floats,
    groups: Ints,
    num_parts: int,
    num_rows: int,
    generator: np.random.Generator,
) -> Floats:
    """Permutes whole groups; all that is needed of a part are sums over its groups."""
    # Groups in an order of chance, dealt out to the parts in blocks of the parts' own sizes.
    parts = np.sort(part_of_group)
    starts = np.searchsorted(parts, np.arange(num_parts))
    number = np.bincount(parts, minlength=num_parts)
    sums, sizes = group_sums(groups, np.stack([excess, np.ones_like(excess)], axis=1)).T
    results = []
    chunk = max(1, _CHUNK // len(sums))
    for start in range(0, num_rows, chunk):
        rows = min(chunk, num_rows - start)
        order = generator.permuted(np.tile(np.arange(len(sums)), (rows, 1)), axis=1)

        def dealt(column: Floats, order: NDArray[Any] = order) -> Floats:
            result: Floats = np.add.reduceat(column[order], starts, axis=1)
            return result

        total, square = dealt(sums), dealt(sums**2)
        size = size_square = np.broadcast_to(number, total.shape).astype(np.float64)
        cross = total
        if sizes.max() > 1.0:
            size, size_square, cross = dealt(sizes), dealt(sizes**2), dealt(sums * sizes)
        means = total / size
        squares = square - 2.0 * means * cross + means**2 * size_square
        results.append(_largest(means, _variances(squares, size, number))[0])
    return np.concatenate(results)


def _permute_images(
    codes: Ints,
    groups: Ints,
    part_of_group: Ints,
    is_mixed: NDArray[np.bool_],
    num_rows: int,
    generator: np.random.Generator,
) -> Ints:
    """Permutes parts of groups that lie in one part, and of images within the other groups."""
    drawn = np.tile(codes, (num_rows, 1))
    pure = np.flatnonzero(~is_mixed)
    if len(pure):
        part_of_drawn = np.tile(part_of_group, (num_rows, 1))
        part_of_drawn[:, pure] = generator.permuted(part_of_drawn[:, pure], axis=1)
        inside = np.flatnonzero(~is_mixed[groups])
        drawn[:, inside] = part_of_drawn[:, groups[inside]]
    inside = np.flatnonzero(is_mixed[groups])
    inside = inside[np.argsort(groups[inside], kind="stable")]
    keys = groups[inside] + generator.random((num_rows, len(inside)))
    drawn[:, inside] = codes[inside][np.argsort(keys, axis=1)]
    return drawn


def _adjusted(traits: list[SubgroupTrait]) -> tuple[SubgroupTrait, ...]:
    """Returns the traits with Holm's correction over those that were tested."""
    tested = [trait.gap.p_value for trait in traits if trait.gap is not None]
    adjusted = iter(holm(tested))
    return tuple(
        trait
        if trait.gap is None
        else replace(trait, gap=replace(trait.gap, adjusted_p_value=next(adjusted)))
        for trait in traits
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Returns p-values that hold for all together (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return tuple(adjusted)
