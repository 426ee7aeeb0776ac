"""Which held-out images are looked at, which of them are shown, and their maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.features import num_cores, stream_batches
from foveal.images.views import View, turn_back
from foveal.shortcuts.explained_run import ExplainedExample
from foveal.shortcuts.network import HeldOutNetwork, Images
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier


# A feature map costs what a feature does, so this bounds the whole: 128 images of 224 px.
_BUDGET_PIXELS = 128 * 224 * 224
_MAX_BUDGET_IMAGES = 128
_MIN_BUDGET_IMAGES = 32
_MAX_PER_CLASS = 24
_MAX_EXAMPLES = 40
_MAX_EXAMPLES_OF_KIND = 4  # right ones, and wrong ones, of a class


def choose_images(trained: TrainedClassifier) -> tuple[list[int], list[int]]:
    """Returns positions in ``judged``: all that are wanted, and the fair sample among them.

    The surest mistakes come on top of the sample, and stay out of the averages.
    """
    judged, names = trained.judged, trained.evidence.data.class_names
    pixels = trained.preprocessing.height_px * trained.preprocessing.width_px
    budget = min(_MAX_BUDGET_IMAGES, max(_MIN_BUDGET_IMAGES, _BUDGET_PIXELS // pixels))
    each = max(2, min(_MAX_PER_CLASS, budget // len(trained.model.reading.views) // len(names)))
    labels = trained.manifest.labels[judged.rows]
    random = np.random.default_rng(trained.config.seed)
    predicted = judged.logits.argmax(1)
    sample: list[int] = []
    mistakes: list[int] = []
    for index in range(min(len(names), budget // 2)):
        rows = random.permutation(np.flatnonzero(labels == index))
        sample += map(int, rows[:each])
        wrong = rows[predicted[rows] != index]
        surest = wrong[np.argsort(-judged.probabilities[wrong, predicted[wrong]], kind="stable")]
        mistakes += map(int, surest[: num_of_kind(len(names))])
    return list(dict.fromkeys([*sample, *mistakes])), sample


def num_of_kind(num_classes: int) -> int:
    """Returns how many right answers, and how many wrong ones, are shown of a class."""
    return max(1, min(_MAX_EXAMPLES_OF_KIND, _MAX_EXAMPLES // (2 * num_classes)))


def choose_examples(
    trained: TrainedClassifier,
    positions: NDArray[np.int64],
    signed: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> tuple[ExplainedExample, ...]:
    """Returns right and wrong answers of every class, the surest mistakes first."""
    judged, manifest = trained.judged, trained.manifest
    num_classes = judged.logits.shape[1]
    predicted = judged.logits[positions].argmax(1)
    probabilities = judged.probabilities[positions, predicted]
    of_kind = num_of_kind(num_classes)
    wanted: list[tuple[int, int]] = []  # rank within its kind and class, and which image
    for index in range(num_classes):
        right = np.flatnonzero((labels == index) & (predicted == index))[:of_kind]
        wrong = np.flatnonzero((labels == index) & (predicted != index))
        wrong = wrong[np.argsort(-probabilities[wrong], kind="stable")][:of_kind]
        wanted += [(rank, int(one)) for kind in (right, wrong) for rank, one in enumerate(kind)]
    # One of every class before a second of any.
    wanted.sort(key=lambda pair: pair[0])
    examples = []
    for _, number in wanted[:_MAX_EXAMPLES]:
        row = int(judged.rows[positions[number]])
        examples.append(
            ExplainedExample(
                row=row,
                path=printable(manifest.usable[row].path),
                label_index=int(labels[number]),
                predicted_index=int(predicted[number]),
                probability=float(probabilities[number]),
                fold=int(judged.fold_index[positions[number]]),
                predicted_map=signed[number, predicted[number]],
                label_map=signed[number, labels[number]],
            )
        )
    return tuple(examples)


Progress = Callable[[int, int], None]


def load_images(
    trained: TrainedClassifier,
    positions: Sequence[int],
    network: HeldOutNetwork,
    progress: Progress | None,
) -> list[tuple[int, Images, Images]]:
    """Returns (position, image, maps [K, h, w]) for each image that can still be read.

    The maps are averaged over the views, each turned back to how the image stands.
    """
    by_view = [
        _load_view(trained, positions, network, view, progress)
        for view in trained.model.reading.views
    ]
    loaded = []
    for position in positions:
        several = [found[position] for found in by_view if position in found]
        if len(several) == len(by_view):  # else the file went away meanwhile
            maps: Images = np.stack([one for _, one in several]).mean(0)
            loaded.append((position, several[0][0], maps))
    return loaded


def _load_view(
    trained: TrainedClassifier,
    positions: Sequence[int],
    network: HeldOutNetwork,
    view: View,
    progress: Progress | None,
) -> dict[int, tuple[Images, Images]]:
    """Returns image and maps by position, both turned back."""
    manifest, judged = trained.manifest, trained.judged
    images: dict[int, Images] = {}

    def load(position: int) -> Images | ImageError:
        path = manifest.resolve(manifest.usable[judged.rows[position]])
        try:
            images[position] = trained.preprocessing.apply(path, view=view)
        except ImageError as error:
            return error
        return images[position]

    found = {}
    batches = stream_batches(
        positions,
        load,
        network.features,
        num_concurrent=num_cores(),
        num_workers=trained.config.num_workers or max(2, num_cores()),
    )
    num_done = 0
    for batch, results in batches:
        for position, features in zip(batch, results, strict=True):
            if not isinstance(features, ImageError):
                maps = network.project(features, position)
                found[position] = (turn_back(images[position], view), turn_back(maps, view))
        num_done += len(batch)
        if progress is not None:
            progress(num_done, len(positions))
    return found
