"""Labels worth a second look, and the surest mistakes."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import Baseline, LabelIssue, Metrics, Mistake
from foveal.evaluation.inputs import (
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    check_class_names,
)
from foveal.text import count_noun

_LEAST_AGREEMENT, _MOST_AGREEMENT = 0.85, 0.95
_SLACK = 0.01
_MIN_SURE = 20
_FLAT = 0.05
_MIN_FLAT_ACCURACY = 0.7


def review_labels(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    paths: Sequence[str],
    class_names: Sequence[str],
    limit: int = 100,
) -> tuple[LabelIssue, ...]:
    """Returns the labels most likely to be wrong, the most suspicious first.

    Confident learning (Northcutt et al. 2021, arXiv 1911.00068) as in cleanlab estimates
    how many labels of each class are wrong and picks those; they are ranked by the
    probability of the given label. Of a weak classifier that picks its own mistakes, so only
    answers count that are sure enough: taken from the surest down, 95% must agree with their
    labels (or what the surest quarter reaches, and 85% at least). Where mistakes do not become
    fewer with confidence, as wrong labels alone make it, all answers count. A list to look at,
    not a verdict: hard images are on it too.

    Args:
        probabilities: Out-of-fold and calibrated, shape [N, K].
        labels: Class indices, shape [N].
        paths: One path an image.
        class_names: One name a class.
        limit: Most issues returned; more than a person looks at are of no use.

    Raises:
        UsageError: Shapes disagree, or rows are no distributions.
    """
    values, truth = _checked(probabilities, labels, paths, class_names)
    # cleanlab wants every class to occur; what no image is labelled cannot be confused.
    present = np.unique(truth)
    if len(present) < 2:
        return ()
    kept = np.maximum(values[:, present], 1e-12)
    kept = kept / kept.sum(axis=1, keepdims=True)
    issues = _find_issues(np.searchsorted(present, truth), kept)
    issues = issues[values.max(axis=1)[issues] >= _least_confidence(values, truth)]
    result = []
    for index in issues[:limit]:
        given = int(truth[index])
        others = np.where(np.arange(values.shape[1]) == given, -1.0, values[index])
        suggested = int(others.argmax())
        result.append(
            LabelIssue(
                index=int(index),
                path=paths[index],
                label=class_names[given],
                suggested=class_names[suggested],
                label_probability=float(values[index, given]),
                suggested_probability=float(values[index, suggested]),
            )
        )
    return tuple(result)


def why_not_reviewed(metrics: Metrics, baseline: Baseline) -> str:
    """Returns why labels cannot be reviewed by this classifier, or nothing where they can.

    A classifier that is no better than chance contradicts labels by chance.
    """
    balanced = metrics.balanced_accuracy.low
    present = sum(item.num_images > 0 for item in metrics.per_class)
    is_better = baseline.gain.low is not None and baseline.gain.low > 0.0
    if is_better or (balanced is not None and balanced * max(1, present) > 1.0):
        return ""
    return (
        "Not reviewed: the classifier is not shown to be better than chance, so what it "
        "contradicts says nothing about the labels."
    )


def _least_confidence(probabilities: Floats, labels: Ints) -> float:
    """Returns how sure an answer must be for its contradiction to count."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence, kind="stable")
    so_far = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    surest = float(so_far[min(len(order), max(_MIN_SURE, len(order) // 4)) - 1])
    overall = float(so_far[-1])
    if overall >= _MIN_FLAT_ACCURACY and overall >= surest - _FLAT:
        return 0.0
    # With some wrong labels among the surest answers, too, fewer agree.
    wanted = min(max(surest - _SLACK, _LEAST_AGREEMENT), _MOST_AGREEMENT)
    enough = np.flatnonzero(so_far[_MIN_SURE - 1 :] >= wanted)
    if not enough.size:
        return np.inf
    return float(confidence[order[enough[-1] + _MIN_SURE - 1]])


def _find_issues(labels: Ints, probabilities: Floats) -> Ints:
    """Runs cleanlab in this process and without a word on either stream."""
    silent = io.StringIO()
    with (
        contextlib.redirect_stdout(silent),
        contextlib.redirect_stderr(silent),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        from cleanlab.filter import find_label_issues

        ranked = find_label_issues(
            labels,
            probabilities,
            return_indices_ranked_by="self_confidence",
            filter_by="prune_by_noise_rate",
            n_jobs=1,
        )
    return np.asarray(ranked, dtype=np.int64)


def worst_mistakes(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    paths: Sequence[str],
    class_names: Sequence[str],
    limit: int = 24,
) -> tuple[Mistake, ...]:
    """Returns the images that were classified wrongly with most confidence, surest first.

    Args:
        probabilities: Out-of-fold and calibrated, shape [N, K].
        labels: Class indices, shape [N].
        paths: One path an image.
        class_names: One name a class.
        limit: Most mistakes returned.

    Raises:
        UsageError: Shapes disagree, or rows are no distributions.
    """
    values, truth = _checked(probabilities, labels, paths, class_names)
    predictions = values.argmax(axis=1)
    confidence = values.max(axis=1)
    wrong = np.flatnonzero(predictions != truth)
    ranked = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return tuple(
        Mistake(
            index=int(index),
            path=paths[index],
            label=class_names[truth[index]],
            predicted=class_names[predictions[index]],
            probability=float(confidence[index]),
        )
        for index in ranked[:limit]
    )


def _checked(
    probabilities: ArrayLike,
    labels: ArrayLike,
    paths: Sequence[str],
    class_names: Sequence[str],
) -> tuple[Floats, Ints]:
    values = as_probabilities(probabilities)
    truth = as_labels(labels, num_images=len(values), num_classes=values.shape[1])
    check_class_names(list(class_names), num_classes=values.shape[1])
    if len(paths) != len(values):
        raise UsageError(
            f"paths: got {len(paths)}, expected {len(values)}, one an image.",
            next_step="Pass one path an image, in the order of the rows.",
        )
    return values, truth


def describe_label_review(issues: Sequence[LabelIssue]) -> str:
    """Returns how many labels are worth a second look, and why so many."""
    if not issues:
        return "None stands out against the answers that the classifier is sure enough of."
    verb = "is" if len(issues) == 1 else "are"
    return (
        f"{count_noun(len(issues), 'label')} {verb} worth a second look: answers that sure agree "
        "with their labels in general, and contradict these."
    )
