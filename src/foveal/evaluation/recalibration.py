"""Calibration on new data: slope and intercepts, and whether to recalibrate.

Logistic recalibration (Cox 1958, Biometrika 45, 562-565; Miller et al. 1991, Statistics in
Medicine 10, 1213-1226). With p_k the stored probability of class k, the model is

    P(y = k) ∝ exp(a_k + b · log p_k)

One slope b for all classes, one intercept a class. For two classes this is the logistic regression
of the label on logit(p); for more it is the multinomial recalibration of Van Hoorde et al. 2014
(Statistics in Medicine 33, 2585-2596) with equal slopes. A slope below 1 means that the
probabilities are too extreme. Calibration in the large is told class by class: the intercept c_k
of logit P(y = k) = c_k + logit(p_k), with the slope held at 1; above 0 the class is more frequent
than the probabilities say.

Variances are those of clustered score sums (Liang & Zeger 1986, Biometrika 73, 13-22) times
G/(G - 1), with Student's t of G - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.inputs import (
    Floats,
    Ints,
    as_labels,
    as_rows,
    as_scores,
    check_class_names,
    compact,
    log_softmax,
    spread_groups,
)
from foveal.evaluation.intervals import Interval, expanded_percentiles, student_quantile
from foveal.evaluation.resampling import group_sums, resampled_sums

_NUM_FOLDS = 5
_MAX_STEPS = 100
# Beyond this a slope or an intercept only grows: the likelihood has no maximum.
_LARGEST = 50.0


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What to do to the stored probabilities: softmax(intercept_k + slope · log p_k)."""

    slope: float
    intercepts: tuple[float, ...]

    def apply(self, log_probabilities: Floats) -> Floats:
        """Returns the recalibrated log probabilities, shape [N, K]."""
        return log_softmax(self.slope * log_probabilities + np.array(self.intercepts))


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """Calibration in the large of one class: 0 is right, in logits."""

    name: str
    num_images: int
    mean_probability: float
    observed: float
    intercept: Interval


@dataclass(frozen=True, slots=True)
class ExternalCalibration:
    """How stored probabilities fit new labels, and what recalibration would give.

    ``recalibrated_log_loss`` is cross-fitted over groups of the new data: no image tunes its own
    score; ``improvement`` is ``log_loss`` minus it, in nats, with its interval over groups.
    ``recalibration`` is fitted on all of the new data. ``reason`` says what is missing.
    """

    slope: Interval
    classes: tuple[ClassCalibration, ...]
    log_loss: float
    recalibrated_log_loss: float | None
    improvement: Interval
    recalibration: Recalibration | None
    verdict: Literal["helps", "not shown", "harms", "unavailable"]
    reason: str | None = None


def assess_external_calibration(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
    num_resamples: int = 2000,
) -> ExternalCalibration:
    """Measures calibration on images that played no part in training.

    Args:
        probabilities: As the run gives them, or any positive scores, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class.
        seed: Seeds the bootstrap of the improvement.
        num_resamples: Its samples.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    values = as_scores(probabilities, name="probabilities")
    num_images, num_classes = values.shape
    check_class_names(list(class_names), num_classes=num_classes)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
    scores = log_softmax(np.log(np.maximum(values, np.finfo(np.float64).tiny)))
    losses = -scores[np.arange(num_images), truth]
    classes = tuple(
        ClassCalibration(
            name=name,
            num_images=int((truth == k).sum()),
            mean_probability=float(np.exp(scores[:, k]).mean()),
            observed=float((truth == k).mean()),
            intercept=_in_the_large(scores[:, k], truth == k, members),
        )
        for k, name in enumerate(class_names)
    )
    present = np.unique(truth)
    slope = _slope(scores, truth, members, present)
    found = ExternalCalibration(
        slope=slope,
        classes=classes,
        log_loss=float(losses.mean()),
        recalibrated_log_loss=None,
        improvement=Interval(None, None, None),
        recalibration=None,
        verdict="unavailable",
    )
    return _with_recalibration(
        found, scores, truth, members, present, seed=seed, num_resamples=num_resamples
    )


def fit_recalibration(log_probabilities: Floats, labels: Ints) -> Recalibration | None:
    """Returns the recalibration with the highest likelihood, or None where there is none.

    There is none where a class has no image, or where the classes can be told apart without a
    mistake: the likelihood then only grows.

    Args:
        log_probabilities: Shape [N, K].
        labels: Class indices, shape [N].
    """
    if len(np.unique(labels)) < log_probabilities.shape[1]:
        return None
    found = _maximise(log_probabilities, labels)
    if found is None:
        return None
    intercepts = np.concatenate([[0.0], found[:-1]])
    intercepts = intercepts - intercepts.mean()
    return Recalibration(float(found[-1]), tuple(map(float, intercepts)))


def _slope(scores: Floats, truth: Ints, groups: Ints, present: Ints) -> Interval:
    """Returns the slope over the classes that have images."""
    if len(present) < 2:
        return Interval(None, None, None)
    kept = log_softmax(scores[:, present])
    labels = np.searchsorted(present, truth).astype(np.int64)
    found = _maximise(kept, labels)
    if found is None:
        return Interval(None, None, None)
    rows, information = _score_rows(kept, labels, found)
    return _sandwich(float(found[-1]), rows, information, groups)


def _in_the_large(scores: Floats, positive: np.ndarray, groups: Ints) -> Interval:
    """Returns c of logit P(y) = c + logit(p), by Newton's method, with its interval."""
    if positive.all() or not positive.any():
        return Interval(None, None, None)
    offset = scores - np.log(-np.expm1(np.minimum(scores, -1e-16)))
    value = 0.0
    for _ in range(_MAX_STEPS):
        share = _expit(value + offset)
        slope = float((share * (1.0 - share)).sum())
        if slope <= 1e-300:
            return Interval(None, None, None)
        step = float((positive - share).sum()) / slope
        value += min(max(step, -2.0), 2.0)
        if abs(value) > 2 * _LARGEST:
            return Interval(None, None, None)
        if abs(step) < 1e-13 * max(1.0, abs(value)):
            break
    share = _expit(value + offset)
    rows = (positive - share)[:, None]
    return _sandwich(value, rows, np.array([[float((share * (1.0 - share)).sum())]]), groups)


def _expit(values: Floats) -> Floats:
    from scipy.special import expit

    result: Floats = expit(values)
    return result


def _maximise(scores: Floats, labels: Ints) -> Floats | None:
    """Returns a_1 … a_{K-1} (a_0 is 0) and b at the maximum of the likelihood, by Newton."""
    num_classes = scores.shape[1]
    value = np.zeros(num_classes)
    value[-1] = 1.0
    loss = _loss(scores, labels, value)
    for _ in range(_MAX_STEPS):
        rows, information = _score_rows(scores, labels, value)
        try:
            step = np.linalg.solve(information, rows.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        scale = 1.0
        while (new := _loss(scores, labels, value + scale * step)) > loss + 1e-12 and scale > 1e-6:
            scale /= 2.0
        value, loss = value + scale * step, new
        if np.abs(value).max() > _LARGEST:
            return None
        if np.abs(step).max() < 1e-12 * max(1.0, float(np.abs(value).max())):
            return value
    # A flat likelihood that never settles has no maximum worth naming.
    return value if np.abs(step).max() < 1e-8 else None


def _loss(scores: Floats, labels: Ints, value: Floats) -> float:
    moved = _moved(scores, value)
    return float(-log_softmax(moved)[np.arange(len(labels)), labels].sum())


def _moved(scores: Floats, value: Floats) -> Floats:
    result: Floats = value[-1] * scores + np.concatenate([[0.0], value[:-1]])
    return result


def _score_rows(scores: Floats, labels: Ints, value: Floats) -> tuple[Floats, Floats]:
    """Returns each image's part in the gradient, shape [N, K], and the information [K, K]."""
    shares = np.exp(log_softmax(_moved(scores, value)))
    residual = -shares
    residual[np.arange(len(labels)), labels] += 1.0
    rows = np.concatenate([residual[:, 1:], (residual * scores).sum(axis=1)[:, None]], axis=1)
    mean = (shares * scores).sum(axis=1)
    across = (shares * (scores - mean[:, None])).sum(axis=0)[1:]
    spread = float((shares * (scores - mean[:, None]) ** 2).sum())
    among = np.diag(shares[:, 1:].sum(axis=0)) - shares[:, 1:].T @ shares[:, 1:]
    information = np.block([[among, across[:, None]], [across[None, :], np.array([[spread]])]])
    return rows, information


def _sandwich(value: float, rows: Floats, information: Floats, groups: Ints) -> Interval:
    """Returns the last parameter with its interval from score sums by group."""
    members, num_groups = compact(groups)
    if num_groups < 2:
        return Interval(value, None, None)
    sums = group_sums(members, rows)
    try:
        direction = np.linalg.solve(information, np.eye(len(information))[:, -1])
    except np.linalg.LinAlgError:
        return Interval(value, None, None)
    variance = float(((sums @ direction) ** 2).sum()) * num_groups / (num_groups - 1.0)
    reach = student_quantile(num_groups) * math.sqrt(variance)
    return Interval(value, value - reach, value + reach)


def _with_recalibration(
    found: ExternalCalibration,
    scores: Floats,
    truth: Ints,
    groups: Ints,
    present: Ints,
    *,
    seed: int,
    num_resamples: int,
) -> ExternalCalibration:
    from dataclasses import replace

    absent = [one.name for k, one in enumerate(found.classes) if k not in present]
    if absent:
        named = ", ".join(absent[:3])
        return replace(found, reason=f"There is no image of {named}.")
    num_groups = int(groups.max()) + 1
    if num_groups < 2:
        return replace(found, reason="One group alone cannot judge what is fitted to it.")
    whole = fit_recalibration(scores, truth)
    if whole is None:
        return replace(found, reason="The classes are told apart without a mistake.")
    folds = spread_groups(groups, num_folds=min(_NUM_FOLDS, num_groups))
    after = np.empty(len(truth))
    for fold in range(int(folds.max()) + 1):
        held_out = folds == fold
        part = fit_recalibration(scores[~held_out], truth[~held_out])
        if part is None:
            return replace(
                found, reason="Too few images a class to fit on some and judge on the others."
            )
        after[held_out] = -part.apply(scores[held_out])[
            np.arange(int(held_out.sum())), truth[held_out]
        ]
    gained = -scores[np.arange(len(truth)), truth] - after
    sums = group_sums(groups, np.stack([gained, np.ones_like(gained)], axis=1))
    drawn = resampled_sums(sums, num_resamples=num_resamples, seed=seed)
    improvement = expanded_percentiles(
        float(gained.mean()),
        drawn[:, 0] / drawn[:, 1],
        num_groups=num_groups,
        lowest=-math.inf,
        highest=math.inf,
    )
    low, high = improvement.low or 0.0, improvement.high or 0.0
    return replace(
        found,
        recalibrated_log_loss=float(after.mean()),
        improvement=improvement,
        recalibration=whole,
        verdict="helps" if low > 0.0 else "harms" if high < 0.0 else "not shown",
    )
