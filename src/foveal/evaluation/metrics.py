"""The headline figures of a classifier, each with its 95% interval over groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.evidence import Baseline, ClassMetrics, Interval, Metrics
from foveal.evaluation.inputs import (
    Floats,
    Ints,
    check_inputs,
)
from foveal.evaluation.intervals import (
    FEW_GROUPS,
    clustered_wilson,
    expanded_percentiles,
    hull,
    mean_of,
    mixed_groups,
    proportion,
)
from foveal.evaluation.ranking import area_interval, mean_area_interval
from foveal.evaluation.resampling import (
    ResampledCounts,
    column,
    ratio,
    resample_class_counts,
)
from foveal.evaluation.shared_sums import SharedSums, share_sums

_METHOD = (
    "95% intervals from {num_resamples:,} bootstrap samples of {unit} (expanded percentiles; "
    "widened to Wilson's interval where mistakes are rare); areas under the ROC curve by "
    "DeLong's variance over the same {unit}"
)


@dataclass(frozen=True, slots=True)
class HeadlineMetric:
    """How one figure of :class:`Metrics` is told, wherever it is told.

    Attributes:
        key: The field of :class:`Metrics`.
        label: As readers know it.
        hub_type: As the Hugging Face Hub knows it.
        unit: ``"share"`` is told in per cent, ``"area"`` as a number from 0 to 1.
        digits: Decimals, of the per cent for a share.
        constant: What always answering the commonest class would score.
        hub_label: On the Hub, where the label does not say enough.
    """

    key: str
    label: str
    hub_type: str
    unit: Literal["share", "area"]
    digits: int
    constant: Callable[[Metrics, Baseline], float | None]
    hub_label: str | None = None

    def of(self, metrics: Metrics) -> Interval:
        """Returns the figure."""
        interval: Interval = getattr(metrics, self.key)
        return interval


def _num_present(metrics: Metrics) -> int:
    return sum(item.num_images > 0 for item in metrics.per_class) or 1


def _constant_f1(metrics: Metrics, baseline: Baseline) -> float:
    share = baseline.accuracy
    return 2 * share / (1 + share) / _num_present(metrics)


# A constant answer is right about one class: its recall is 1, that of every other class 0, and
# its area under the curve is one half.
HEADLINE_METRICS: tuple[HeadlineMetric, ...] = (
    HeadlineMetric(
        "accuracy", "Accuracy", "accuracy", "share", 1, lambda _, baseline: baseline.accuracy
    ),
    HeadlineMetric(
        "balanced_accuracy",
        "Balanced accuracy",
        "balanced_accuracy",
        "share",
        1,
        lambda metrics, _: 1 / _num_present(metrics),
    ),
    HeadlineMetric("macro_f1", "Macro F1", "f1", "share", 1, _constant_f1),
    HeadlineMetric(
        "auroc",
        "AUROC",
        "roc_auc",
        "area",
        3,
        lambda metrics, _: None if metrics.auroc.estimate is None else 0.5,
        hub_label="AUROC (one-vs-rest, macro)",
    ),
)
"""The figures of page, terminal and model card, in their order; accuracy leads."""


def measure(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
    num_resamples: int = 2000,
    shared: SharedSums | None = None,
) -> Metrics:
    """Returns accuracy, balanced accuracy, macro F1, AUROC and the figures by class.

    Definitions are scikit-learn's: balanced accuracy averages the recall of the classes
    that have images, macro F1 averages over classes that have images or predictions,
    AUROC is one-vs-rest over softmax probabilities. A figure that is undefined (the
    recall of a class without images, the precision of one never predicted) has no
    estimate. Intervals: see ``intervals`` and ``ranking``.

    Args:
        logits: Out-of-fold logits, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class, in the order of the columns.
        seed: Seeds the bootstrap.
        num_resamples: Bootstrap samples.
        shared: Of the same arguments, where it is known already.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth = checked.scores, checked.labels
    members, num_groups = checked.members, checked.num_groups
    num_images, num_classes = scores.shape
    predictions = scores.argmax(axis=1)

    if shared is None:
        shared = share_sums(
            scores,
            truth,
            members,
            class_names=class_names,
            seed=seed,
            num_resamples=num_resamples,
        )
    counted = _Counted.of(shared.counts)
    table, resamples, observed = counted.table, counted.resamples, counted.observed
    rates = _recall_rates(counted, members)
    areas = list(shared.areas)

    per_class = []
    for k, name in enumerate(class_names):
        right, predicted, present = (column(table, k + offset * num_classes) for offset in range(3))
        per_class.append(
            ClassMetrics(
                name=name,
                num_images=int(present.sum()),
                precision=proportion(right, predicted, resamples.precision[:, k]),
                recall=rates.recalls[k],
                f1=_f1_interval(right, predicted, present, resamples.f1[:, k]),
                auroc=area_interval(areas[k]),
            )
        )

    confusion = np.bincount(truth * num_classes + predictions, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )
    unit = "images" if num_groups == num_images else "groups"
    return Metrics(
        num_images=num_images,
        num_groups=num_groups,
        accuracy=rates.accuracy,
        balanced_accuracy=rates.balanced_accuracy,
        macro_f1=_mean_interval(
            float(observed.macro_f1[0]),
            resamples.macro_f1,
            parts=[item.f1 for item in per_class],
            is_scarce=rates.is_accuracy_scarce,
            num_groups=num_groups,
            # One mistake lowers the F1 of two classes, never of more: (a + b)² ≤ 2(a² + b²).
            dependence=2.0,
        ),
        auroc=mean_area_interval(areas),
        per_class=tuple(per_class),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        interval_method=_METHOD.format(num_resamples=len(shared.counts.drawn), unit=unit),
    )


@dataclass(frozen=True, slots=True)
class RecallRates:
    """What follows from which images were right: accuracy, recall by class and their mean.

    ``is_accuracy_scarce``: so few groups hold a mistake, or a right answer, that the accuracy's
    interval was widened.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    recalls: tuple[Interval, ...]
    is_accuracy_scarce: bool


def measure_recalls(
    labels: Ints,
    predictions: Ints,
    groups: Ints,
    *,
    num_classes: int,
    seed: int = 0,
    num_resamples: int = 2000,
) -> RecallRates:
    """Returns the figures of :func:`measure` that need no scores, with the same intervals.

    Args:
        labels: Class indices, shape [N].
        predictions: Predicted classes, shape [N].
        groups: Group of each image in 0 … G - 1, shape [N].
        num_classes: K.
        seed: Seeds the bootstrap.
        num_resamples: Bootstrap samples.
    """
    counts = resample_class_counts(
        labels,
        predictions,
        groups,
        num_classes=num_classes,
        seed=seed,
        num_resamples=num_resamples,
    )
    return _recall_rates(_Counted.of(counts), groups)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Class counts by group, and the figures of the data and of its resamples."""

    table: Any
    resamples: _Figures
    observed: _Figures

    @classmethod
    def of(cls, counts: ResampledCounts) -> _Counted:
        observed = np.asarray(counts.table.sum(axis=0), dtype=np.float64)[None, :]
        return cls(counts.table, _figures(counts.drawn), _figures(observed))


def _recall_rates(counted: _Counted, groups: Ints) -> RecallRates:
    table, resamples = counted.table, counted.resamples
    num_classes = resamples.recall.shape[1]
    sizes = np.bincount(groups).astype(np.float64)
    right_by_group = np.asarray(table[:, :num_classes].sum(axis=1), dtype=np.float64).ravel()
    recalls = []
    any_recall_scarce = False
    for k in range(num_classes):
        right, present = column(table, k), column(table, k + 2 * num_classes)
        any_recall_scarce |= bool(present.any()) and _is_scarce(right, present)
        recalls.append(proportion(right, present, resamples.recall[:, k]))
    return RecallRates(
        accuracy=proportion(right_by_group, sizes, resamples.accuracy),
        balanced_accuracy=_mean_interval(
            float(counted.observed.balanced_accuracy[0]),
            resamples.balanced_accuracy,
            parts=recalls,
            # One rare class without a mistake is enough to hide most of the variance.
            is_scarce=any_recall_scarce,
            num_groups=len(sizes),
            # Recalls are independent where images are; those of classes that share groups
            # move together to some extent.
            dependence=1.0 if len(sizes) == len(groups) else 2.0,
        ),
        recalls=tuple(recalls),
        is_accuracy_scarce=_is_scarce(right_by_group, sizes),
    )


@dataclass(frozen=True, slots=True)
class _Figures:
    """Figures read off rows of class counts; NaN where undefined.

    Shapes: [R] for those over all classes, [R, K] for those by class.
    """

    accuracy: Floats
    balanced_accuracy: Floats
    macro_f1: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def _figures(counts: Floats) -> _Figures:
    """Computes the figures from right, predicted and present counts side by side, [R, 3K]."""
    right, predicted, present = np.split(counts, 3, axis=1)
    recall = ratio(right, present)
    f1 = ratio(2.0 * right, predicted + present)
    return _Figures(
        accuracy=ratio(right.sum(axis=1), present.sum(axis=1)),
        balanced_accuracy=_mean_defined(recall),
        macro_f1=_mean_defined(f1),
        precision=ratio(right, predicted),
        recall=recall,
        f1=f1,
    )


def _mean_defined(figures: Floats) -> Floats:
    defined = np.isfinite(figures)
    return ratio(np.where(defined, figures, 0.0).sum(axis=1), defined.sum(axis=1).astype(float))


def _is_scarce(hits: Floats, totals: Floats) -> bool:
    return mixed_groups(hits, totals) < FEW_GROUPS


def _f1_interval(right: Floats, predicted: Floats, present: Floats, resampled: Floats) -> Interval:
    """Returns the interval of one class's F1.

    F1 = 2J/(1 + J), where J is the share of right answers among the images that are of
    the class or were called it: a proportion, so the cautious interval exists.
    """
    either = predicted + present - right
    cautious = clustered_wilson(right, either)
    if cautious.estimate is None:
        return cautious
    estimate = _f1_from_share(cautious.estimate)
    if cautious.low is None or cautious.high is None:
        return Interval(estimate, None, None)
    interval = expanded_percentiles(estimate, resampled, num_groups=int((either > 0).sum()))
    if not _is_scarce(right, either):
        return interval
    return hull(
        interval,
        Interval(estimate, _f1_from_share(cautious.low), _f1_from_share(cautious.high)),
    )


def _f1_from_share(share: float) -> float:
    return 2.0 * share / (1.0 + share)


def _mean_interval(
    estimate: float,
    resampled: Floats,
    *,
    parts: list[Interval],
    is_scarce: bool,
    num_groups: int,
    dependence: float,
) -> Interval:
    interval = expanded_percentiles(estimate, resampled, num_groups=num_groups)
    return hull(interval, mean_of(parts, dependence=dependence)) if is_scarce else interval
