"""Two ways of answering the same images, figure by figure.

Every difference is the first minus the second. Both sides are judged on the same resampled
groups, so what they share cancels out. McNemar's and DeLong's tests stand beside the intervals
because readers ask for them; both take every image as independent, which images of one patient
or one part are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import Interval
from foveal.evaluation.inputs import Floats, Ints, as_labels, as_rows, check_class_names, compact
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    expanded_percentiles,
    hull,
    mean_of,
    student_quantile,
)
from foveal.evaluation.paired import Areas, accuracy_difference, area_difference, delong, net_share
from foveal.evaluation.ranking import rank_area
from foveal.evaluation.resampling import column, disagreements_by_group, ratio, resampled_sums

Figure = Literal["accuracy", "balanced_accuracy", "auroc"]
FIGURES: tuple[Figure, ...] = ("accuracy", "balanced_accuracy", "auroc")

_METHOD = (
    "95% intervals from {num_resamples:,} paired bootstrap samples of {unit} (expanded "
    "percentiles; widened by square and add where few {unit} tell the two apart); areas under "
    "the ROC curve by the paired variance over the same {unit} (Obuchowski 1997)"
)
# A difference of this share of the time would have been missed: 80% power.
_POWER_QUANTILE = 0.8416212335729143


@dataclass(frozen=True, slots=True)
class Answered:
    """What one side answered, in the order of the images.

    Attributes:
        predictions: Class indices, shape [N]; -1 is an answer that is none of the classes.
        scores: Higher means more likely of the class, shape [N, K]; a column of NaN where the
            side gave none for that class. ``None`` where it gave labels alone.
    """

    predictions: Ints
    scores: Floats | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both sides, and the first minus the second.

    ``detectable`` is how large a true difference would have been told from none in four of
    five such comparisons. ``reason`` says why there is no difference.
    """

    first: float | None
    second: float | None
    difference: Interval
    detectable: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's exact test (1947): whether the two are right about as many images.

    Takes every image as independent. ``num_first`` images only the first got right.
    """

    num_both: int
    num_first: int
    num_second: int
    num_neither: int
    p_value: float


@dataclass(frozen=True, slots=True)
class DeLong:
    """DeLong's test (1988) of the difference between two areas under the ROC curve.

    Takes every image as independent. ``p_value`` is ``None`` where nothing varies.
    """

    difference: Interval
    p_value: float | None


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """One class against the rest, on both sides."""

    name: str
    num_images: int
    sensitivity: Difference
    specificity: Difference
    auroc: Difference
    delong: DeLong


@dataclass(frozen=True, slots=True)
class Margin:
    """Whether the first is worse than the second by no more than a margin chosen beforehand.

    ``"not worse"``: the whole interval lies above minus the margin; ``"worse"``: the whole
    interval lies below it; ``"not shown"``: neither. ``"unavailable"``: there is no interval.
    """

    figure: Figure
    margin: float
    verdict: Literal["not worse", "worse", "not shown", "unavailable"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways of answering the same images, with every difference paired over groups."""

    num_images: int
    num_groups: int
    class_names: tuple[str, ...]
    accuracy: Difference
    balanced_accuracy: Difference
    auroc: Difference
    per_class: tuple[ClassDifference, ...]
    mcnemar: McNemar
    delong: DeLong
    margin: Margin | None
    interval_method: str


def compare_answers(
    first: Answered,
    second: Answered,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    margin: float | None = None,
    figure: Figure = "accuracy",
    seed: int = 0,
    num_resamples: int = 2000,
) -> Comparison:
    """Compares two ways of answering the same images.

    Args:
        first: What the first answered to N images.
        second: The same for the second.
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: K names.
        margin: How much worse the first may be, as a share from 0 to 1, chosen beforehand.
        figure: What the margin is about.
        seed: Seeds the bootstrap.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, or a value is out of range.
    """
    num_images, num_classes = np.asarray(labels).size, len(class_names)
    check_class_names(list(class_names), num_classes=max(num_classes, 2))
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, num_groups = compact(as_rows(groups, num_images=num_images, name="groups"))
    _check_side(first, num_images, num_classes)
    _check_side(second, num_images, num_classes)
    if margin is not None and not 0.0 < margin < 1.0:
        raise UsageError(
            f"margin: got {margin}, expected a number above 0 and below 1.",
            next_step="Give it as a share: 0.02 is two percentage points.",
        )

    right, other_right = first.predictions == truth, second.predictions == truth
    accuracy = accuracy_difference(
        right, other_right, members, seed=seed, num_resamples=num_resamples
    )
    table = disagreements_by_group(
        truth, first.predictions, second.predictions, members, num_classes=num_classes
    )
    resamples = resampled_sums(table, num_resamples=num_resamples, seed=seed)
    by_class = _class_shares(table, resamples, num_classes)
    sensitivities = [sensitivity for sensitivity, _ in by_class]
    balanced = _balanced(
        table, resamples, sensitivities, is_grouped=num_groups < num_images, num_groups=num_groups
    )
    areas = [_areas(side, truth, members, num_classes) for side in (first, second)]
    alone = [_areas(side, truth, np.arange(num_images), num_classes) for side in (first, second)]
    compared = Comparison(
        num_images=num_images,
        num_groups=num_groups,
        class_names=tuple(class_names),
        accuracy=_difference(right.mean(), other_right.mean(), accuracy, num_groups),
        balanced_accuracy=_difference(
            _balanced_accuracy(right, truth, num_classes),
            _balanced_accuracy(other_right, truth, num_classes),
            balanced,
            num_groups,
        ),
        auroc=_area(areas[0], areas[1], (first, second)),
        per_class=tuple(
            ClassDifference(
                name=name,
                num_images=int((truth == k).sum()),
                sensitivity=_share_of(right, other_right, truth == k, by_class[k][0], members),
                specificity=_share_of(
                    first.predictions != k,
                    second.predictions != k,
                    truth != k,
                    by_class[k][1],
                    members,
                ),
                auroc=_area([areas[0][k]], [areas[1][k]], (first, second)),
                delong=DeLong(*delong([alone[0][k]], [alone[1][k]])),
            )
            for k, name in enumerate(class_names)
        ),
        mcnemar=_mcnemar(right, other_right),
        delong=DeLong(*delong(*alone)),
        margin=None,
        interval_method=_METHOD.format(
            num_resamples=num_resamples,
            unit="images" if num_groups == num_images else "groups",
        ),
    )
    if margin is None:
        return compared
    return _with_margin(compared, margin, figure)


def _check_side(side: Answered, num_images: int, num_classes: int) -> None:
    predictions = as_rows(side.predictions, num_images=num_images, name="predictions")
    if predictions.size and (predictions.min() < -1 or predictions.max() >= num_classes):
        raise UsageError(
            f"predictions: got {predictions.min()} to {predictions.max()}, expected class "
            f"indices from 0 to {num_classes - 1}, or -1.",
            next_step="Number the classes in the order of their names.",
        )
    if side.scores is not None and side.scores.shape != (num_images, num_classes):
        raise UsageError(
            f"scores: got shape {side.scores.shape}, expected {(num_images, num_classes)}.",
            next_step="Pass one row an image and one column a class.",
        )


def _class_shares(
    table: object, resamples: Floats, num_classes: int
) -> list[tuple[Interval, Interval]]:
    """Returns the differences of sensitivity and of specificity of each class."""
    sizes = np.asarray(
        sum(column(table, 2 * num_classes + k) for k in range(num_classes)), dtype=np.float64
    )
    gained, lost, present, avoided, added = np.split(resamples, 5, axis=1)
    all_drawn = present.sum(axis=1)
    result = []
    for k in range(num_classes):
        counts = [column(table, offset * num_classes + k) for offset in range(5)]
        others = all_drawn - present[:, k]
        result.append(
            (
                net_share(
                    counts[0],
                    counts[1],
                    counts[2],
                    ratio(gained[:, k] - lost[:, k], present[:, k]),
                ),
                net_share(
                    counts[3],
                    counts[4],
                    sizes - counts[2],
                    ratio(avoided[:, k] - added[:, k], others),
                ),
            )
        )
    return result


def _balanced(
    table: object,
    resamples: Floats,
    sensitivities: list[Interval],
    *,
    is_grouped: bool,
    num_groups: int,
) -> Interval:
    """Returns the difference of the balanced accuracies: the mean of those by class."""
    num_classes = len(sensitivities)
    known = [one.estimate for one in sensitivities if one.estimate is not None]
    estimate = sum(known) / len(known)
    gained, lost, present = np.split(resamples, 5, axis=1)[:3]
    by_class = ratio(gained - lost, present)
    defined = np.isfinite(by_class)
    resampled = ratio(np.where(defined, by_class, 0.0).sum(axis=1), defined.sum(axis=1))
    interval = expanded_percentiles(estimate, resampled, num_groups=num_groups, lowest=-1.0)
    informative = [
        int(((column(table, k) + column(table, num_classes + k)) > 0).sum())
        for k, one in enumerate(sensitivities)
        if one.estimate is not None
    ]
    if min(informative) >= FEW_GROUPS:
        return interval
    # Classes that share groups move together to some extent, as in foveal.evaluation.metrics.
    parts = mean_of(sensitivities, dependence=2.0 if is_grouped else 1.0, lowest=-1.0)
    return hull(interval, parts)


def _balanced_accuracy(right: np.ndarray, truth: Ints, num_classes: int) -> float:
    sizes = np.bincount(truth, minlength=num_classes)
    hits = np.bincount(truth, weights=right, minlength=num_classes)
    return float((hits[sizes > 0] / sizes[sizes > 0]).mean())


def _areas(side: Answered, truth: Ints, groups: Ints, num_classes: int) -> Areas:
    if side.scores is None:
        return [None] * num_classes
    return [
        None
        if np.isnan(side.scores[:, k]).any()
        else rank_area(side.scores[:, k], truth == k, groups)
        for k in range(num_classes)
    ]


def _area(first: Areas, second: Areas, sides: tuple[Answered, Answered]) -> Difference:
    interval = area_difference(first, second)
    if interval.estimate is None:
        reason = (
            "One side gave no probabilities: an area under the ROC curve needs them."
            if any(side.scores is None or np.isnan(side.scores).any() for side in sides)
            else "The images are all of the class, or none is."
        )
        return Difference(None, None, interval, None, reason)
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a and b]
    num_groups = min(min(a.num_groups, b.num_groups) for a, b in pairs)
    return _difference(
        sum(one.area for one, _ in pairs) / len(pairs),
        sum(other.area for _, other in pairs) / len(pairs),
        interval,
        num_groups,
    )


def _share_of(
    first: np.ndarray, second: np.ndarray, among: np.ndarray, interval: Interval, groups: Ints
) -> Difference:
    if interval.estimate is None:
        return Difference(None, None, interval, None, "There is no such image.")
    num_groups = len(np.unique(groups[among]))
    return _difference(first[among].mean(), second[among].mean(), interval, num_groups)


def _difference(first: float, second: float, interval: Interval, num_groups: int) -> Difference:
    reason = None if interval.low is not None else "One group alone gives no interval."
    return Difference(
        float(first),
        float(second),
        interval,
        detectable_difference(interval, num_groups=num_groups),
        reason,
    )


def detectable_difference(interval: Interval, *, num_groups: int) -> float | None:
    """Returns the true difference that such data would tell from none four times in five.

    The interval's half width is a quantile times a standard error; a difference of that
    quantile plus 0.84 standard errors is seen with a power of 80%.

    Args:
        interval: Of a difference.
        num_groups: Groups behind it.
    """
    if interval.low is None or interval.high is None:
        return None
    half = (interval.high - interval.low) / 2.0
    return min(1.0, half * (1.0 + _POWER_QUANTILE / student_quantile(num_groups)))


def _mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    from scipy.stats import binomtest

    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return McNemar(
        num_both=int((first & second).sum()),
        num_first=gained,
        num_second=lost,
        num_neither=int((~first & ~second).sum()),
        p_value=p_value,
    )


def _with_margin(compared: Comparison, margin: float, figure: Figure) -> Comparison:
    from dataclasses import replace

    found: Difference = getattr(compared, figure)
    return replace(
        compared, margin=Margin(figure, margin, judge_margin(found.difference, margin=margin))
    )


def judge_margin(
    difference: Interval, *, margin: float
) -> Literal["not worse", "worse", "not shown", "unavailable"]:
    """Returns whether the first is worse than the second by no more than ``margin``.

    >>> judge_margin(Interval(0.0, -0.01, 0.01), margin=0.02)
    'not worse'
    >>> judge_margin(Interval(0.0, -0.03, 0.03), margin=0.02)
    'not shown'
    """
    if difference.low is None or difference.high is None:
        return "unavailable"
    if difference.low > -margin:
        return "not worse"
    return "worse" if difference.high < -margin else "not shown"
