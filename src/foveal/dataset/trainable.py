"""What a data set must have before anything can be learnt from it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from foveal.dataset.layouts import name_some
from foveal.dataset.manifest import Manifest
from foveal.errors import DataError
from foveal.text import count_noun, printable


def require_trainable(manifest: Manifest, *, min_images_per_class: int = 2) -> None:
    """Refuses a data set that no classifier can be trained and tested on.

    Args:
        manifest: As scanned.
        min_images_per_class: Two are needed to train on one and test on the other.

    Raises:
        DataError: No images, no labels, a single class, or a class with too few images.
    """
    where = f"'{printable(str(manifest.root))}'"
    if not manifest.records:
        raise DataError(
            f"There are no images in {where}.",
            next_step="Put the images of each class into a folder of its own, named after it.",
        )
    if not manifest.usable:
        raise _nothing_usable(manifest, where)
    if len(manifest.class_names) == 1:
        raise DataError(
            f"All {count_noun(len(manifest.usable), 'usable image')} in {where} belong to one "
            f"class, '{manifest.class_names[0]}'; a classifier needs two or more.",
            next_step=" ".join(manifest.notes) or "Add images of another class.",
        )
    counts = np.bincount(manifest.labels, minlength=len(manifest.class_names))
    scarce = int(counts.argmin())
    if counts[scarce] < min_images_per_class:
        raise DataError(
            f"Class '{manifest.class_names[scarce]}' has only "
            f"{count_noun(int(counts[scarce]), 'usable image')}; at least "
            f"{min_images_per_class} are needed, to train on and to test on.",
            next_step="Add images of it, or leave such classes out: "
            f"--min-images {min_images_per_class}.",
        )
    _require_training_split(manifest)


def _nothing_usable(manifest: Manifest, where: str) -> DataError:
    if manifest.bad:
        reasons = Counter(record.problem.code for record in manifest.bad if record.problem)
        shown = ", ".join(f"{code} ({count:,})" for code, count in reasons.most_common())
        first = manifest.bad[0]
        message = "" if first.problem is None else f": {first.problem.message}"
        return DataError(
            f"None of {count_noun(len(manifest.records), 'file')} in {where} can be used: {shown}.",
            next_step=f"The first is {printable(first.path)}{message}.",
        )
    return DataError(
        f"The {count_noun(len(manifest.records), 'image')} in {where} came without labels.",
        next_step="Put the images of each class into a folder of its own, or write a table "
        "with the columns path and label.",
    )


def _require_training_split(manifest: Manifest) -> None:
    """With given splits, every class must be there to train on."""
    if not manifest.has_splits:
        return
    trained = {record.label for record in manifest.usable if record.split == "train"}
    missing = [name for name in manifest.class_names if name not in trained]
    if missing:
        raise DataError(
            f"The training split has no usable image of {name_some(missing)}.",
            next_step="Move some images of it from val or test to train, or give the data "
            "without splits.",
        )
