"""How far the accuracy of groups (patients, sites) differs beyond chance among their images.

A one-way random-effects analysis of variance of the excess accuracy (right or wrong minus the
recall of the image's class; Searle, Casella & McCulloch 1992, section 3.6). Its interval covers
two, because groups are few and their differences far from normal:

* the Tukey-Williams interval for a variance between groups (Williams 1962, Biometrika 49,
  278-281), with as many degrees of freedom as the scatter of the groups' squares is worth;
* the bootstrap-t over groups of the logarithm of the mean square (Hall 1988, Annals of Statistics
  16, 927-953), which follows skewed differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foveal.evaluation.evidence import GroupSpread
from foveal.evaluation.inputs import Floats, Ints
from foveal.evaluation.intervals import Interval
from foveal.evaluation.resampling import group_sums, resampled_sums

MIN_GROUPS = 5
_NUM_RESAMPLES = 2000
_MAX_PERMUTED = 8_000_000
# After this many exceedances a p-value is known well enough to stop (Besag & Clifford 1991).
_ENOUGH_EXCEEDANCES = 10
_CHUNK = 4_000_000
_TAILS = (0.025, 0.975)


def measure_spread(
    excess: Floats, labels: Ints, groups: Ints, *, source: str, seed: int = 0
) -> GroupSpread | None:
    """Returns how far groups differ beyond chance; see :class:`GroupSpread`.

    Args:
        excess: Right (1) or wrong (0) minus the recall of the class, shape [N].
        labels: Class indices, shape [N]; permutations keep to them.
        groups: Group of each image in 0 … G - 1, shape [N].
        source: Where groups come from.
        seed: Seeds bootstrap and permutations.

    Returns:
        None with fewer than five groups, or where every group is one image.
    """
    sizes = np.bincount(groups).astype(np.float64)
    if len(sizes) < MIN_GROUPS or len(sizes) == len(groups):
        return None
    sums, squares = group_sums(groups, np.stack([excess, excess**2], axis=1)).T
    analysed = _Analysed.of(sizes, sums, squares)
    first, second = _tukey_williams(analysed), _bootstrap_t(analysed, seed=seed)
    estimate = _root(analysed.between)
    # Shares with this mean cannot differ more than if every group were all right or all wrong.
    highest = max(estimate, math.sqrt(float(squares.sum() / sizes.sum())))
    low = min(_root(first[0]), _root(second[0]), estimate)
    high = min(max(_root(first[1]), _root(second[1]), estimate), highest)
    observed = float(analysed.parts.sum())
    permuted = _permuted_spread(excess, labels, groups, sizes, observed=observed, seed=seed)
    exceedances = int((permuted >= observed - 1e-9).sum())
    return GroupSpread(
        source=source,
        num_groups=len(sizes),
        spread=Interval(estimate, low, high),
        i_squared=max(0.0, 1.0 - 1.0 / analysed.ratio) if analysed.ratio > 0 else 0.0,
        p_value=(1 + exceedances) / (1 + len(permuted)),
    )


@dataclass(frozen=True, slots=True)
class _Analysed:
    """The analysis of variance: each group's part s²/n of the sum of squares, [G], and its sums.

    ``typical`` is the number of images that a group counts for, ``between`` the variance between
    groups, ``ratio`` F; both mean squares are per degree of freedom.
    """

    parts: Floats
    num_images: int
    mean_between: float
    mean_within: float
    typical: float

    @classmethod
    def of(cls, sizes: Floats, sums: Floats, squares: Floats) -> _Analysed:
        parts = sums**2 / sizes
        total, num_groups = float(sizes.sum()), len(sizes)
        return cls(
            parts=parts,
            num_images=int(total),
            mean_between=float(parts.sum() - sums.sum() ** 2 / total) / (num_groups - 1.0),
            mean_within=float(squares.sum() - parts.sum()) / max(total - num_groups, 1.0),
            typical=float(total - (sizes**2).sum() / total) / (num_groups - 1.0),
        )

    @property
    def between(self) -> float:
        return (self.mean_between - self.mean_within) / self.typical

    @property
    def ratio(self) -> float:
        if self.mean_within <= 0.0:
            return math.inf if self.mean_between > 0.0 else 0.0
        return self.mean_between / self.mean_within


def _tukey_williams(analysed: _Analysed) -> tuple[float, float]:
    """Returns the ends of the interval for the variance between groups."""
    from scipy.stats import chi2, f

    num_groups = len(analysed.parts)
    scatter = float(analysed.parts.var(ddof=1)) / num_groups
    freedom = num_groups - 1.0
    if scatter > 0.0:
        freedom = max(2.0, min(freedom, 2.0 * analysed.mean_between**2 / scatter))
    within = max(analysed.num_images - num_groups, 1)
    ends = []
    for tail in reversed(_TAILS):
        share = 1.0 - float(f.ppf(tail, freedom, within)) / max(analysed.ratio, 1e-12)
        mean = freedom * analysed.mean_between / float(chi2.ppf(tail, freedom))
        ends.append(mean * share / analysed.typical)
    return ends[0], ends[1]


def _bootstrap_t(analysed: _Analysed, *, seed: int) -> tuple[float, float]:
    """Returns the ends of the interval for the variance between groups."""
    parts = analysed.parts
    num_groups = len(parts)
    columns = np.stack([parts, parts**2], axis=1)
    drawn = resampled_sums(columns, num_resamples=_NUM_RESAMPLES, seed=seed)
    middle = math.log(max(float(parts.mean()), 1e-12))
    error = _error_of_log(columns.sum(axis=0)[None, :], num_groups)[0]
    errors = _error_of_log(drawn, num_groups)
    known = (errors > 0.0) & (drawn[:, 0] > 0.0)
    if error == 0.0 or not known.any():
        return analysed.between, analysed.between
    steps = (np.log(drawn[known, 0] / num_groups) - middle) / errors[known]
    below, above = np.quantile(steps, _TAILS)
    # What the mean square is more than the mean of the parts: the degree of freedom.
    scale = analysed.mean_between / math.exp(middle)
    ends = [min(middle - step * error, 50.0) for step in (above, below)]
    low, high = ((scale * math.exp(end) - analysed.mean_within) / analysed.typical for end in ends)
    return low, high


def _error_of_log(sums: Floats, num_groups: int) -> Floats:
    """Returns the standard error of the logarithm of a mean, from sums of values and squares."""
    means = sums[:, 0] / num_groups
    variances = np.maximum(sums[:, 1] / num_groups - means**2, 0.0) / (num_groups - 1.0)
    result: Floats = np.sqrt(variances) / np.maximum(means, 1e-12)
    return result


def _root(value: float) -> float:
    return math.sqrt(max(0.0, value))


def permutation_numbers(num_images: int) -> tuple[int, int]:
    """Returns how many permutations are made at first, and how many more where those are few.

    999 in all for up to 8,000 images, so that a p-value may be as small as 0.001; fewer of more
    images, down to 299, so that the work stays the same.
    """
    return 99, max(200, min(900, _MAX_PERMUTED // num_images))


def _permuted_spread(
    excess: Floats, labels: Ints, groups: Ints, sizes: Floats, *, observed: float, seed: int
) -> Floats:
    """Returns Σs²/n over groups with the images of each class permuted among themselves, [R].

    The total sum of squares stays the same, so this ranks permutations as F does.
    """
    generator = np.random.default_rng(seed)
    rows_of_class = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    statistics: list[Floats] = []
    for number in permutation_numbers(len(excess)):
        chunk = max(1, _CHUNK // len(excess))
        for start in range(0, number, chunk):
            num_rows = min(chunk, number - start)
            drawn = np.tile(excess, (num_rows, 1))
            for rows in rows_of_class:
                drawn[:, rows] = generator.permuted(drawn[:, rows], axis=1)
            cells = np.arange(num_rows)[:, None] * len(sizes) + groups
            sums = np.bincount(
                cells.reshape(-1), weights=drawn.reshape(-1), minlength=num_rows * len(sizes)
            ).reshape(num_rows, -1)
            statistics.append((sums**2 / sizes).sum(axis=1))
        if int((np.concatenate(statistics) >= observed - 1e-9).sum()) >= _ENOUGH_EXCEEDANCES:
            break
    return np.concatenate(statistics)
