"""Labels worth a second look, and the surest mistakes."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from foveal.errors import UsageError
from foveal.evaluation.evidence import LabelIssue, Mistake
from foveal.evaluation.inputs import (
    Floats,
    Ints,
    as_labels,
    as_probabilities,
    check_class_names,
)


def review_labels(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    paths: Sequence[str],
    class_names: Sequence[str],
    limit: int = 50,
) -> tuple[LabelIssue, ...]:
    """Returns the labels most likely to be wrong, the most suspicious first.

    Confident learning (Northcutt et al. 2021, arXiv 1911.00068) as in cleanlab estimates
    how many labels of each class are wrong and picks those; they are ranked by the
    probability of the given label. A list to look at, not a verdict: hard images are on
    it too.

    Args:
        probabilities: Out-of-fold and calibrated, shape [N, K].
        labels: Class indices, shape [N].
        paths: One path an image.
        class_names: One name a class.
        limit: Most issues returned.

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
            f"{len(paths)} paths came for {len(values)} images.",
            next_step="Pass one path an image, in the order of the rows.",
        )
    return values, truth
