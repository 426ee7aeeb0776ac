"""Whether mirrored or turned images change their class, as writing does, and left and right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from foveal.images import Preprocessing, View
from foveal.images.views import QUARTER_TURNS
from foveal.models import Backbone
from foveal.text import printable
from foveal.training.fitting import Fitted
from foveal.training.fold_model import FoldModel
from foveal.training.problem import Problem

_MOST_PER_CLASS = 64
_LEAST_PER_CLASS = 16
# With fewer, a share says nothing; a true change of class turns most of them over.
_FEWEST = 5
_LEAST_SHARE = 0.3
_IN_WORDS: dict[View, str] = {
    "hflip": "mirrored",
    "vflip": "mirrored top to bottom",
    "rot180": "turned upside down",
    "rot90": "turned a quarter to the left",
    "rot270": "turned a quarter to the right",
    "transpose": "mirrored about a diagonal",
    "transverse": "mirrored about the other diagonal",
}


def turned_warnings(
    problem: Problem,
    frozen: Fitted,
    sources: Sequence[ImageSource],
    ways: Sequence[View],
    *,
    backbone: Backbone,
    preprocessing: Preprocessing,
    backend_name: str,
    num_workers: int | None,
) -> tuple[str, ...]:
    """Returns a sentence for every class that looks like another one when it is turned.

    Held-out images that are answered rightly are turned and answered again, by the models of
    their folds. Of several ways the one is told that changes most.

    Args:
        problem: The images in their folds.
        frozen: Fitted on them.
        sources: Of all usable images.
        ways: In which the policy mirrors or turns the whole image; a quarter turn is asked about
            only where the network's input is a square.
        backbone: The network.
        preprocessing: How images enter.
        backend_name: What runs it.
        num_workers: Threads that decode.
    """
    fitted = _of_the_image_as_it_stands(frozen)
    if fitted is None:
        return ()
    fold_models, logits = fitted
    size = preprocessing.height_px, preprocessing.width_px
    ways = [way for way in ways if size[0] == size[1] or way not in QUARTER_TURNS]
    most = max(_LEAST_PER_CLASS, _MOST_PER_CLASS // max(1, len(ways)))
    rows, answers = frozen.rows, logits.argmax(1)
    labels = problem.labels[np.searchsorted(problem.rows, rows)]
    chosen = np.concatenate(
        [np.flatnonzero((labels == k) & (answers == k))[:most] for k in range(problem.num_classes)]
    )
    if not len(chosen):
        return ()
    reading = fold_models[0].reading
    readable = readable_network(backbone, reading, size)
    backend = find_backend(backend_name).open(readable, size, cache_directory())
    turned: dict[View, NDArray[np.int64]] = {}
    for way in ways:
        features, _ = extract_features(
            [sources[row] for row in rows[chosen]],
            backend,
            preprocessing=preprocessing,
            num_features=readable.num_features,
            view=way,
            num_workers=num_workers,
        )
        turned[way] = np.empty(len(chosen), np.int64)
        for fold, model in enumerate(fold_models):
            mine = frozen.fold_index[chosen] == fold
            if mine.any():
                turned[way][mine] = model.logits(features[mine]).argmax(1)
    return describe_turned(labels[chosen], turned, problem.class_names)


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


def describe_turned(
    labels: NDArray[np.int64],
    turned: Mapping[View, NDArray[np.int64]],
    class_names: Sequence[str],
) -> tuple[str, ...]:
    """Returns the sentences, given the answers for turned images that were right before.

    Args:
        labels: [n], the classes of the images.
        turned: By the way of turning, [n]: what is answered for the images turned so.
        class_names: K names.
    """
    found = []
    for k, name in enumerate(class_names):
        changed = []
        for way, all_answers in turned.items():
            answers = all_answers[labels == k]
            if len(answers) < _FEWEST:
                continue
            counts = np.bincount(answers, minlength=len(class_names))
            counts[k] = 0
            other = int(counts.argmax())
            interval = wilson(int(counts[other]), len(answers))
            is_much = counts[other] >= _LEAST_SHARE * len(answers)
            if is_much and (interval.low or 0) >= _LEAST_SHARE / 3:
                changed.append((int(counts[other]), len(answers), other, way))
        if not changed:
            continue
        count, total, other, way = max(changed, key=lambda one: one[0])
        is_sideways = way == "hflip"
        found.append(
            f"Of images of {printable(name)}, {percent(count / total)} look like "
            f"{printable(class_names[other])} when they are {_IN_WORDS[way]} ({total} held-out "
            f"images that were right before), and this augmentation "
            f"{'mirrors' if is_sideways else 'does that'}: it may train the wrong class. Use "
            "--augment xray or none if "
            f"{'left and right matter' if is_sideways else 'it matters how images are turned'}."
        )
    return tuple(found)
