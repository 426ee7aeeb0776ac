"""Whether mirroring an image changes its class, as it does with writing or with left and right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.evaluation import wilson
from foveal.features import (
    ImageSource,
    cache_directory,
    extract_features,
    find_backend,
)
from foveal.features.reading import readable_network
from foveal.images import Preprocessing
from foveal.models import Backbone
from foveal.text import printable
from foveal.training.fitting import Fitted
from foveal.training.fold_model import FoldModel
from foveal.training.problem import Problem

_MOST_PER_CLASS = 64
# With fewer, a share says nothing; a true change of class turns most of them over.
_FEWEST = 5
_LEAST_SHARE = 0.3


def mirrored_warnings(
    problem: Problem,
    frozen: Fitted,
    sources: Sequence[ImageSource],
    *,
    backbone: Backbone,
    preprocessing: Preprocessing,
    backend_name: str,
    num_workers: int | None,
) -> tuple[str, ...]:
    """Returns a sentence for every class whose mirror image looks like another class.

    Held-out images that are answered rightly are mirrored and answered again, by the models of
    their folds.

    Args:
        problem: The images in their folds.
        frozen: Fitted on them.
        sources: Of all usable images.
        backbone: The network.
        preprocessing: How images enter.
        backend_name: What runs it.
        num_workers: Threads that decode.
    """
    fitted = _of_the_image_as_it_stands(frozen)
    if fitted is None:
        return ()
    fold_models, logits = fitted
    rows, answers = frozen.rows, logits.argmax(1)
    labels = problem.labels[np.searchsorted(problem.rows, rows)]
    chosen = np.concatenate(
        [
            np.flatnonzero((labels == k) & (answers == k))[:_MOST_PER_CLASS]
            for k in range(problem.num_classes)
        ]
    )
    if not len(chosen):
        return ()
    size = preprocessing.height_px, preprocessing.width_px
    reading = fold_models[0].reading
    readable = readable_network(backbone, reading, size)
    backend = find_backend(backend_name).open(readable, size, cache_directory())
    features, _ = extract_features(
        [sources[row] for row in rows[chosen]],
        backend,
        preprocessing=preprocessing,
        num_features=readable.num_features,
        view="hflip",
        num_workers=num_workers,
    )
    mirrored = np.empty(len(chosen), np.int64)
    for fold, model in enumerate(fold_models):
        mine = frozen.fold_index[chosen] == fold
        if mine.any():
            mirrored[mine] = model.logits(features[mine]).argmax(1)
    return describe_mirrored(labels[chosen], mirrored, problem.class_names)


def _of_the_image_as_it_stands(
    frozen: Fitted,
) -> tuple[tuple[FoldModel, ...], NDArray[np.float64]] | None:
    """Returns fold models with their logits that see one view, the kept ones if they do.

    Of the mean over flips a mirrored image gives the same, so nothing could be told from it.
    """
    kept = (frozen.fold_models, frozen.model_logits)
    others = ((fits.fold_models, fits.logits) for fits in frozen.candidates.values())
    for models, logits in (kept, *others):
        if models[0].reading.views == ("identity",) and not models[0].reading.cut:
            return models, logits
    return None


def describe_mirrored(
    labels: NDArray[np.int64], mirrored: NDArray[np.int64], class_names: Sequence[str]
) -> tuple[str, ...]:
    """Returns the sentences, given the answers for mirrored images that were right before.

    Args:
        labels: [n], the classes of the images.
        mirrored: [n], what is answered for their mirror images.
        class_names: K names.
    """
    found = []
    for k, name in enumerate(class_names):
        answers = mirrored[labels == k]
        if len(answers) < _FEWEST:
            continue
        counts = np.bincount(answers, minlength=len(class_names))
        counts[k] = 0
        other = int(counts.argmax())
        interval = wilson(int(counts[other]), len(answers))
        if counts[other] < _LEAST_SHARE * len(answers) or (interval.low or 0) < _LEAST_SHARE / 3:
            continue
        found.append(
            f"Of images of {printable(name)}, {percent(counts[other] / len(answers))} look like "
            f"{printable(class_names[other])} when they are mirrored ({len(answers)} held-out "
            "images that were right before), and this augmentation mirrors: it may train the "
            "wrong class. Use --augment xray or none if left and right matter."
        )
    return tuple(found)
