"""From the files that were found to the images that were judged, as counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import Manifest
from foveal.dataset.traits import Trait
from foveal.evaluation.flow import Flow, PartFacts, PartTrait


def follow_files(
    manifest: Manifest,
    groups: NDArray[np.int64],
    *,
    judged_rows: NDArray[np.int64],
    fold_index: NDArray[np.int64],
    fitted_rows: NDArray[np.int64],
    traits: Sequence[Trait] = (),
) -> Flow:
    """Returns what became of every file, and what each fold holds.

    Args:
        manifest: The data.
        groups: [N] over the usable images, duplicates fused.
        judged_rows: [M], into the usable images.
        fold_index: [M].
        fitted_rows: The usable images that the finished classifier was fitted to.
        traits: What parts the usable images; columns that were named are counted by part.
    """
    reasons = Counter(record.problem.code for record in manifest.bad if record.problem is not None)
    unlabelled = len(manifest.records) - len(manifest.bad) - len(manifest.usable)
    set_aside = [(code.replace("_", " "), number) for code, number in reasons.most_common()]
    if unlabelled:
        set_aside.append(("no label", unlabelled))
    named = [trait for trait in traits if trait.origin == "column"]
    only_trained = np.setdiff1d(fitted_rows, judged_rows)
    folds = np.unique(fold_index)
    is_whole = len(folds) == 1
    parts = [
        _describe(
            manifest,
            groups,
            judged_rows[fold_index == fold],
            named,
            name="Tested" if is_whole else f"Fold {fold + 1}",
        )
        for fold in folds.tolist()
    ]
    if only_trained.size:
        parts.append(_describe(manifest, groups, only_trained, named, name="Only trained on"))
    num_usable = len(manifest.usable)
    return Flow(
        num_files=len(manifest.records),
        set_aside=tuple(set_aside),
        num_usable=num_usable,
        num_groups=len(np.unique(groups)),
        num_judged=len(judged_rows),
        num_only_trained=len(only_trained),
        num_unused=num_usable - len(judged_rows) - len(only_trained),
        parts=tuple(parts),
    )


def _describe(
    manifest: Manifest,
    groups: NDArray[np.int64],
    rows: NDArray[np.int64],
    named: Sequence[Trait],
    *,
    name: str,
) -> PartFacts:
    counts = np.bincount(manifest.labels[rows], minlength=len(manifest.class_names))
    records = [manifest.usable[row] for row in rows]
    heights = [one.height_px for one in records if one.height_px is not None]
    widths = [one.width_px for one in records if one.width_px is not None]
    return PartFacts(
        name=name,
        num_images=len(rows),
        num_groups=len(np.unique(groups[rows])),
        class_counts=tuple(int(number) for number in counts),
        median_height_px=float(np.median(heights)) if heights else None,
        median_width_px=float(np.median(widths)) if widths else None,
        characteristics=tuple(_count_values(trait, rows) for trait in named),
    )


def _count_values(trait: Trait, rows: NDArray[np.int64]) -> PartTrait:
    found = Counter(trait.values[row] for row in rows.tolist())
    values = sorted(set(trait.values), key=trait.order)
    return PartTrait(trait.name, tuple((value, found[value]) for value in values))
