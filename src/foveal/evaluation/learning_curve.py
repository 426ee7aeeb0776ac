"""Fits an inverse power law to accuracies by training size, and extrapolates it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import CurvePoint, Interval, LearningCurve
from foveal.evaluation.inputs import Floats, Ints
from foveal.evaluation.intervals import bounded, student_quantile

_EXPONENTS = np.linspace(0.02, 2.0, 100)
_NUM_RESAMPLES = 2000
_FEWEST_SIZES = 4


def extrapolate(
    num_images: ArrayLike,
    accuracies: ArrayLike,
    *,
    target: int,
    seed: int = 0,
) -> LearningCurve:
    """Returns the learning curve and the accuracy it is heading for at ``target`` images.

    The curve is acc(n) = a - b·n^(-c) with 0 ≤ a ≤ 1, b ≥ 0 and 0 < c ≤ 2 (inverse power
    law: Figueroa et al. 2012, BMC Med. Inform. Decis. Mak. 12, 8). Its interval comes from
    refits to means of resampled repeats, plus the scatter of the points about the curve.
    It assumes that more images come like those there are.

    Args:
        num_images: Training images, shape [M], one a size.
        accuracies: Accuracy by size and repeat, shape [M, R]; NaN where a repeat is missing.
        target: Training images to extrapolate to.
        seed: Seeds the bootstrap.

    Returns:
        The curve; ``extrapolation`` is None, with ``reason``, where the points allow no fit.

    Raises:
        UsageError: Shapes disagree, or a value is out of range.
    """
    sizes, values = _checked(num_images, accuracies)
    points = tuple(_point(int(size), row) for size, row in zip(sizes, values, strict=True))
    means = np.array([point.accuracy for point in points])
    reason = _why_no_fit(sizes, values, means, target)
    if reason is not None:
        return LearningCurve(points, None, None, reason)
    interval = _extrapolate(sizes, values, means, target, seed)
    return LearningCurve(points, int(target), interval)


def _checked(num_images: ArrayLike, accuracies: ArrayLike) -> tuple[Ints, Floats]:
    sizes = np.asarray(num_images, dtype=np.int64)
    values = np.asarray(accuracies, dtype=np.float64)
    if sizes.ndim != 1 or values.ndim != 2 or len(sizes) != len(values):
        raise UsageError(
            f"num_images and accuracies: got shapes {sizes.shape} and {values.shape}, expected "
            "[M] and [M, R].",
            next_step="Pass one row of accuracies a size.",
        )
    seen = values[np.isfinite(values)]
    if (sizes < 1).any() or len(np.unique(sizes)) != len(sizes):
        raise UsageError(
            f"num_images: got {sizes.tolist()}, expected different sizes of at least 1.",
            next_step="Pass each size once, its repeats as one row of accuracies.",
        )
    if seen.size and (seen.min() < 0.0 or seen.max() > 1.0):
        raise UsageError(
            f"accuracies: got {seen.min():.4g} to {seen.max():.4g}, expected fractions from 0 "
            "to 1.",
            next_step="Divide percentages by 100.",
        )
    order = np.argsort(sizes)
    sizes, values = sizes[order], values[order]
    known = np.isfinite(values).any(axis=1)
    return sizes[known], values[known]


def _point(size: int, row: Floats) -> CurvePoint:
    seen = row[np.isfinite(row)]
    mean = float(seen.mean())
    low, high = np.quantile(seen, [0.1, 0.9])
    return CurvePoint(size, mean, min(float(low), mean), max(float(high), mean))


def _why_no_fit(sizes: Ints, values: Floats, means: Floats, target: int) -> str | None:
    if len(sizes) < _FEWEST_SIZES:
        tried = "1 training size is" if len(sizes) == 1 else f"{len(sizes)} training sizes are"
        return f"{tried} too few to see where the curve is heading; it takes {_FEWEST_SIZES}."
    if target <= sizes[-1]:
        return f"{target} images are no more than the {sizes[-1]} already tried."
    fall = float((np.maximum.accumulate(means) - means).max())
    rise = float(means.max() - means[0])
    noise = float(np.sqrt(_variances_of_means(values).mean()))
    # The largest fall among a handful of equal means rarely exceeds 4.5 standard errors.
    if fall > max(0.5 * rise, 4.5 * noise, 0.01):
        return "Accuracy does not rise steadily with more images, so no curve fits it."
    return None


def _variances_of_means(values: Floats) -> Floats:
    """Returns the squared standard error of each size's mean, shape [M]; 0 for one repeat."""
    counts = np.isfinite(values).sum(axis=1)
    filled = np.where(np.isfinite(values), values, 0.0)
    means = filled.sum(axis=1) / counts
    squares = np.where(np.isfinite(values), (values - means[:, None]) ** 2, 0.0).sum(axis=1)
    result: Floats = squares / np.maximum(counts - 1, 1) / counts
    return result


def _extrapolate(sizes: Ints, values: Floats, means: Floats, target: int, seed: int) -> Interval:
    generator = np.random.default_rng(seed)
    ceiling, drop, exponent = (part[0] for part in _fit(sizes, means[None, :]))
    fitted = ceiling - drop * sizes.astype(np.float64) ** -exponent
    estimate = float(ceiling - drop * float(target) ** -exponent)
    # Three parameters were fitted; with four sizes one degree of freedom is left.
    residual = float(((means - fitted) ** 2).sum()) / max(len(sizes) - 3, 1)
    variances = _variances_of_means(values)
    # The scatter is itself a guess from few points and repeats: Student's t for the normal.
    num_values = int(np.isfinite(values).sum())
    caution = student_quantile(max(num_values - 2, 2)) / student_quantile(np.inf)
    mean_variance = float(variances.mean())
    scatter = caution * math.sqrt(max(residual, mean_variance))
    misfit = caution * math.sqrt(max(0.0, residual - mean_variance))

    resampled = np.empty((_NUM_RESAMPLES, len(sizes)))
    for index, row in enumerate(values):
        seen = row[np.isfinite(row)]
        count = len(seen)
        drawn = seen[generator.integers(0, count, size=(_NUM_RESAMPLES, count))].mean(axis=1)
        # Resampled means vary too little by the factor (R - 1)/R.
        stretch = math.sqrt(count / (count - 1.0)) if count > 1 else 1.0
        resampled[:, index] = fitted[index] + (drawn - seen.mean()) * stretch
    resampled += generator.normal(0.0, misfit, size=resampled.shape)
    ceilings, drops, exponents = _fit(sizes, resampled)
    predicted = ceilings - drops * float(target) ** -exponents
    predicted += generator.normal(0.0, scatter, size=len(predicted))
    low, high = np.quantile(predicted, [0.025, 0.975])
    return bounded(estimate, float(low), float(high))


def _fit(sizes: Ints, means: Floats) -> tuple[Floats, Floats, Floats]:
    """Fits a, b and c by least squares to each row of means, shape [B, M].

    For a given exponent the curve is a line in n^(-c), solved exactly with its bounds; the
    exponent is the best of a grid. No start value, no failure to converge.
    """
    num_rows = len(means)
    best = np.full(num_rows, np.inf)
    result = np.zeros((3, num_rows))
    scale = float(sizes.max())
    for exponent in _EXPONENTS:
        x = (sizes / scale) ** -exponent
        centred = x - x.mean()
        average = means.mean(axis=1)
        drop = np.maximum(-(means @ centred) / float(centred @ centred), 0.0)
        ceiling = average + drop * x.mean()
        # Above the bound on a the least squares lie on it: a line through (0, 1).
        over = ceiling > 1.0
        drop = np.where(over, np.maximum((1.0 - means) @ x / float(x @ x), 0.0), drop)
        ceiling = np.where(over, 1.0, ceiling)
        errors = ((means - ceiling[:, None] + drop[:, None] * x) ** 2).sum(axis=1)
        better = errors < best
        best = np.where(better, errors, best)
        fitted = np.stack([ceiling, drop * scale**exponent, np.full(num_rows, exponent)])
        result = np.where(better, fitted, result)
    return result[0], result[1], result[2]
