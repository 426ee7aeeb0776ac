"""What headline figures and figures of decisions are both read off, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from foveal.evaluation.inputs import check_inputs, log_softmax
from foveal.evaluation.ranking import RankArea, rank_area
from foveal.evaluation.resampling import ResampledCounts, resample_class_counts


@dataclass(frozen=True, slots=True)
class SharedSums:
    """Class counts with their resamples, and the area under the ROC curve of each class.

    Attributes:
        counts: By group, and of bootstrap samples of the groups.
        areas: One a class, at temperature 1; ``None`` where one side has no image.
    """

    counts: ResampledCounts
    areas: tuple[RankArea | None, ...]


def share_sums(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
    num_resamples: int = 2000,
) -> SharedSums:
    """Returns what ``measure`` and ``measure_decisions`` take as ``shared``.

    Args:
        logits: Of images that the model had not seen, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class, in the order of the columns.
        seed: Seeds the bootstrap over groups.
        num_resamples: Bootstrap samples.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    checked = check_inputs(logits, labels, groups, class_names=class_names)
    scores, truth, members = checked.scores, checked.labels, checked.members
    num_classes = scores.shape[1]
    log_probabilities = log_softmax(scores)
    return SharedSums(
        resample_class_counts(
            truth,
            scores.argmax(axis=1),
            members,
            num_classes=num_classes,
            seed=seed,
            num_resamples=num_resamples,
        ),
        tuple(rank_area(log_probabilities[:, k], truth == k, members) for k in range(num_classes)),
    )
