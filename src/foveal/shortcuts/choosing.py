"""Which held-out pictures are looked at, and which of them are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.shortcuts.explained_run import ExplainedExample
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

# A feature map costs what a feature does, so this bounds the whole: 128 pictures of 224 px.
_BUDGET_PIXELS = 128 * 224 * 224
_MAX_BUDGET_IMAGES = 128
_MIN_BUDGET_IMAGES = 32
_MAX_PER_CLASS = 24
_MAX_EXAMPLES = 40
_MAX_EXAMPLES_OF_KIND = 4  # right ones, and wrong ones, of a class


def choose_pictures(trained: TrainedClassifier) -> tuple[list[int], list[int]]:
    """Returns places in ``judged``: all that are wanted, and the fair sample among them.

    The surest mistakes come on top of the sample, and stay out of the averages.
    """
    judged, names = trained.judged, trained.evidence.data.class_names
    pixels = trained.preprocessing.height_px * trained.preprocessing.width_px
    budget = min(_MAX_BUDGET_IMAGES, max(_MIN_BUDGET_IMAGES, _BUDGET_PIXELS // pixels))
    each = max(2, min(_MAX_PER_CLASS, budget // len(trained.config.views) // len(names)))
    labels = trained.manifest.labels[judged.rows]
    random = np.random.default_rng(trained.config.seed)
    said = judged.logits.argmax(1)
    sample: list[int] = []
    mistakes: list[int] = []
    for index in range(min(len(names), budget // 2)):
        rows = random.permutation(np.flatnonzero(labels == index))
        sample += map(int, rows[:each])
        wrong = rows[said[rows] != index]
        surest = wrong[np.argsort(-judged.probabilities[wrong, said[wrong]], kind="stable")]
        mistakes += map(int, surest[: num_of_kind(len(names))])
    return list(dict.fromkeys([*sample, *mistakes])), sample


def num_of_kind(num_classes: int) -> int:
    """Returns how many right answers, and how many wrong ones, are shown of a class."""
    return max(1, min(_MAX_EXAMPLES_OF_KIND, _MAX_EXAMPLES // (2 * num_classes)))


def choose_examples(
    trained: TrainedClassifier,
    places: NDArray[np.int64],
    signed: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> tuple[ExplainedExample, ...]:
    """Returns right and wrong answers of every class, the surest mistakes first."""
    judged, manifest = trained.judged, trained.manifest
    num_classes = judged.logits.shape[1]
    said = judged.logits[places].argmax(1)
    chances = judged.probabilities[places, said]
    of_kind = num_of_kind(num_classes)
    wanted: list[tuple[int, int]] = []  # rank within its kind and class, and which picture
    for index in range(num_classes):
        right = np.flatnonzero((labels == index) & (said == index))[:of_kind]
        wrong = np.flatnonzero((labels == index) & (said != index))
        wrong = wrong[np.argsort(-chances[wrong], kind="stable")][:of_kind]
        wanted += [(rank, int(one)) for kind in (right, wrong) for rank, one in enumerate(kind)]
    # One of every class before a second of any.
    wanted.sort(key=lambda pair: pair[0])
    examples = []
    for _, number in wanted[:_MAX_EXAMPLES]:
        row = int(judged.rows[places[number]])
        examples.append(
            ExplainedExample(
                row=row,
                path=printable(manifest.usable[row].path),
                label_index=int(labels[number]),
                said_index=int(said[number]),
                probability=float(chances[number]),
                fold=int(judged.fold_index[places[number]]),
                said_map=signed[number, said[number]],
                label_map=signed[number, labels[number]],
            )
        )
    return tuple(examples)
