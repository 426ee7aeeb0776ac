"""What a classifier must beat to be worth anything: always the commonest answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from foveal.evaluation.evidence import Baseline
from foveal.evaluation.inputs import as_labels, as_rows, as_scores, check_class_names, compact
from foveal.evaluation.paired import accuracy_difference


def compare_with_baseline(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    class_names: Sequence[str],
    seed: int = 0,
) -> Baseline:
    """Returns the accuracy of always answering the commonest class, and the gain over it.

    Args:
        logits: Out-of-fold logits, shape [N, K].
        labels: Class indices, shape [N].
        groups: Which images belong together, shape [N].
        class_names: One name a class. Of equally common classes the first counts.
        seed: Seeds the paired bootstrap over groups.

    Raises:
        UsageError: Shapes disagree, or a value is out of range or not finite.
    """
    scores = as_scores(logits)
    num_images, num_classes = scores.shape
    check_class_names(list(class_names), num_classes=num_classes)
    truth = as_labels(labels, num_images=num_images, num_classes=num_classes)
    members, _ = compact(as_rows(groups, num_images=num_images, name="groups"))
    commonest = int(np.bincount(truth, minlength=num_classes).argmax())
    return Baseline(
        class_name=class_names[commonest],
        accuracy=float((truth == commonest).mean()),
        gain=accuracy_difference(
            scores.argmax(axis=1) == truth, truth == commonest, members, seed=seed
        ),
    )
