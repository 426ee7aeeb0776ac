"""Folds for what is fitted on predictions: no image tunes the figure it is judged by."""

from __future__ import annotations

import numpy as np

from foveal.evaluation.inputs import Ints, compact


def cross_fitting_folds(fold_index: Ints, groups: Ints) -> Ints:
    """Returns folds to fit on all but one of; the given ones where there are two or more.

    A hold-out has one fold alone. It is split in two halves by group: groups in a fixed
    shuffled order, each to the half that has fewer images. With one group alone the
    result has one fold, and nothing can be cross-fitted.

    Args:
        fold_index: Fold of each image, shape [N].
        groups: Which images belong together, shape [N].

    Returns:
        Shape [N], folds 0 … F - 1.
    """
    folds, num_folds = compact(fold_index)
    if num_folds > 1:
        return folds
    members, num_groups = compact(groups)
    sizes = np.bincount(members)
    half_of_group = np.zeros(num_groups, dtype=np.int64)
    filled = [0, 0]
    for group in np.random.default_rng(0).permutation(num_groups):
        half = 0 if filled[0] <= filled[1] else 1
        half_of_group[group] = half
        filled[half] += int(sizes[group])
    return half_of_group[members]
