"""How far a classifier comes that sees nothing of what the images show.

Linear heads are fitted on each family of simple features, with the folds and groups of the run
and by its own solver, and judged out of fold on the same images as the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.errors import FovealError
from foveal.features import num_cores
from foveal.shortcuts.simple_features import (
    HEAD_BYTES,
    MARGINS,
    Rows,
    as_table,
    border_of,
    colour_of,
    patterns_of,
    properties_of,
    standardised,
    texture_of,
)

if TYPE_CHECKING:
    from foveal.shortcuts.held_out_images import Progress
    from foveal.training import TrainedClassifier


SimpleName = Literal["colour", "border", "pattern", "file"]

# Of what the network has above chance, and how sure the rest must be above chance.
_REACHES = 0.9
_MIN_ERRORS = 4.0
_MIN_ABOVE = 0.15

NOT_LOOKED_FOR = (
    "Not looked for: a mark over the object itself, one that wanders from image to image, one "
    "that fewer than about half of a class’s images have, what stands behind the object, and "
    "whatever all classes share here but not where the classifier will be used."
)


@dataclass(frozen=True, slots=True)
class SimpleResult:
    """How far one family of simple features comes, out of fold.

    Attributes:
        name: ``"colour"``: colour and brightness of the whole image. ``"border"``: the
            outermost part alone. ``"pattern"``: what stands at the same pixels in the outermost
            quarter. ``"file"``: sizes, format, quality and metadata.
        margin: How deep the border is, as a share of height and width; None for the others.
        num_images: Images judged, the same for the network.
        accuracy: Mean of the classes' recalls.
        network_accuracy: The network's on the same images.
        chance: One by the number of classes.
    """

    name: SimpleName
    margin: float | None
    num_images: int
    accuracy: float
    network_accuracy: float
    chance: float

    @property
    def reaches_the_network(self) -> bool:
        """Whether it has nine tenths of what the network has above chance, and surely so."""
        above, most = self.accuracy - self.chance, self.network_accuracy - self.chance
        error = math.sqrt(self.chance * (1 - self.chance) / self.num_images)
        return above >= max(_REACHES * most, _MIN_ERRORS * error, _MIN_ABOVE)


def reaching(results: Sequence[SimpleResult]) -> tuple[SimpleResult, ...]:
    """Returns what reaches the network, one a family: of several margins the narrowest."""
    found: dict[str, SimpleResult] = {}
    for one in results:
        if one.reaches_the_network:
            found.setdefault(one.name, one)
    return tuple(found.values())


def describe_simple(one: SimpleResult) -> str:
    """Returns what a family of simple features reaches, and what to do about it.

    >>> print(describe_simple(SimpleResult("file", None, 200, 0.97, 0.98, 0.5)))
    A classifier that sees only the files’ own properties (size, format, quality, metadata) reaches 97% on held-out images, the network 98% (balanced accuracy: every class counts the same). Save all classes alike, and train again: where the classes come from decides, not what they show.
    """  # noqa: E501
    what, advice = _WORDS[one.name]
    if one.margin is not None:
        what = what.format(margin=percent(one.margin))
    return (
        f"A classifier that sees only {what} reaches {percent(one.accuracy)} on held-out images, "
        f"the network {percent(one.network_accuracy)} (balanced accuracy: every class counts the "
        f"same). {advice}"
    )


def title_of(one: SimpleResult) -> str:
    """Returns the finding as a heading.

    >>> title_of(SimpleResult("border", 0.07, 200, 0.97, 0.98, 0.5))
    'The border alone tells the classes apart as well as the network does'
    """
    return f"{_TITLES[one.name]} the classes apart as well as the network does"


_TITLES: dict[SimpleName, str] = {
    "colour": "Colour and brightness of the whole image alone tell",
    "border": "The border alone tells",
    "pattern": "A pattern at the same pixels of every image tells",
    "file": "The file alone, without its image, tells",
}
_WORDS: dict[SimpleName, tuple[str, str]] = {
    "colour": (
        "the colour and brightness of the whole image, and nothing of what is where,",
        "If colour is not what sets the classes apart, look for another camera, lamp or stain by "
        "class: the figures hold only as long as it comes with the class.",
    ),
    "border": (
        "the outermost {margin} of the image on each side",
        "If the findings lie in the middle, look for bars, frames, margins or another background: "
        "the figures hold only as long as they come with the class.",
    ),
    "pattern": (
        "the fine detail at fixed pixels in the outermost {margin} on each side",
        "Look for a watermark, a grid or a caption that comes with the class: the figures hold "
        "only as long as it does.",
    ),
    "file": (
        "the files’ own properties (size, format, quality, metadata)",
        "Save all classes alike, and train again: where the classes come from decides, not what "
        "they show.",
    ),
}


Ints = NDArray[np.int64]

_MAX_IMAGES = 400
_MIN_PER_CLASS = 8
_NOT_JUDGED = -1


@dataclass(frozen=True, slots=True, eq=False)
class _SimpleFeatures:
    """What one image and its file say without being looked at."""

    colour: list[float]
    borders: tuple[list[float], ...]
    texture: Rows
    properties: dict[str, float]


def judge_simple_classifiers(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> tuple[tuple[SimpleResult, ...], str | None]:
    """Returns what classifiers of simple features reach, and else why none was tried.

    Args:
        trained: The classifier with its folds.
        progress: Called with (done, total) images.
    """
    labels = trained.manifest.labels
    num_classes = len(trained.evidence.data.class_names)
    rows, fold_index = _sample(trained, labels, num_classes)
    counts = np.bincount(labels[rows[fold_index >= 0]], minlength=num_classes)
    if counts.min() < _MIN_PER_CLASS:
        return (), (
            f"Classifiers of colour, border and file alone were not tried: of {len(rows):,} images "
            f"looked at, a class has {counts.min()}; {_MIN_PER_CLASS} are needed."
        )
    loaded = _load(trained, rows, progress)
    known = np.array([one is not None for one in loaded])
    rows, fold_index = rows[known], fold_index[known]
    simple = [one for one in loaded if one is not None]
    position_of = np.full(len(labels), -1)
    position_of[trained.judged.rows] = np.arange(len(trained.judged.rows))
    judged = fold_index >= 0
    predicted = trained.judged.logits[position_of[rows[judged]]].argmax(1)
    network_right = predicted == labels[rows[judged]]
    results = []
    for name, margin, features in _families(simple):
        if not features.shape[1]:
            continue
        answers = _out_of_fold(trained, features, labels[rows], fold_index, trained.groups[rows])
        if answers is None:
            continue
        right = answers == labels[rows[judged]]
        results.append(
            SimpleResult(
                name=name,
                margin=margin,
                num_images=int(judged.sum()),
                accuracy=_balanced(right, labels[rows[judged]]),
                network_accuracy=_balanced(network_right, labels[rows[judged]]),
                chance=1 / num_classes,
            )
        )
    return tuple(results), None


def _families(simple: list[_SimpleFeatures]) -> list[tuple[SimpleName, float | None, Rows]]:
    """Returns name, margin and features [N, D] of each family."""
    families: list[tuple[SimpleName, float | None, Rows]] = [
        ("colour", None, standardised(np.array([one.colour for one in simple])))
    ]
    for index, margin in enumerate(MARGINS):
        table = np.array([one.borders[index] for one in simple])
        families.append(("border", margin, standardised(table)))
    texture = np.stack([one.texture for one in simple])
    families.append(("pattern", MARGINS[-1], standardised(patterns_of(texture))))
    families.append(("file", None, standardised(as_table([one.properties for one in simple]))))
    return families


def _sample(trained: TrainedClassifier, labels: Ints, num_classes: int) -> tuple[Ints, Ints]:
    """Returns rows of usable images, alike many of a class, and whose fold they are in.

    With one hold-out, rows that it does not judge have the fold -1: there the heads are fitted.
    """
    judged = trained.judged
    fold_of = np.full(len(labels), _NOT_JUDGED)
    fold_of[judged.rows] = judged.fold_index
    candidates = np.arange(len(labels))
    if len(judged.fold_models) > 1:
        candidates = judged.rows  # what no fold judges is not among the images
    random = np.random.default_rng(trained.config.seed)
    each = max(_MIN_PER_CLASS, _MAX_IMAGES // num_classes)
    chosen: list[int] = []
    for index in range(num_classes):
        mine = random.permutation(candidates[labels[candidates] == index])
        # Of a hold-out, as many to fit on as to judge by.
        is_judged = fold_of[mine] >= 0
        parts = (mine,) if is_judged.all() else (mine[is_judged], mine[~is_judged])
        for part in parts:
            chosen += map(int, part[: each // len(parts)])
        if len(chosen) > 2 * _MAX_IMAGES:
            break
    rows = np.array(sorted(chosen), np.int64)
    return rows, fold_of[rows]


def _load(
    trained: TrainedClassifier, rows: Ints, progress: Progress | None
) -> list[_SimpleFeatures | None]:
    manifest, preprocessing = trained.manifest, trained.preprocessing
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)

    def load(row: int) -> _SimpleFeatures | None:
        record = manifest.usable[row]
        path = manifest.resolve(record)
        try:
            image = preprocessing.apply(path)
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except (FovealError, OSError):
            return None  # it went away meanwhile
        levels = np.clip(image.transpose(1, 2, 0) * std + mean, 0.0, 1.0)
        return _SimpleFeatures(
            colour_of(levels),
            tuple(border_of(levels, margin) for margin in MARGINS),
            texture_of(levels),
            properties_of(record, head),
        )

    found: list[_SimpleFeatures | None] = []
    with ThreadPoolExecutor(trained.config.num_workers or num_cores()) as pool:
        for one in pool.map(load, map(int, rows)):
            found.append(one)
            if progress is not None:
                progress(len(found), len(rows))
    return found


def _out_of_fold(
    trained: TrainedClassifier, features: Rows, labels: Ints, fold_index: Ints, groups: Ints
) -> Ints | None:
    """Returns the answers for the judged images, each by a head that had not seen its group."""
    from foveal.training import LinearMaker, Problem

    folds, numbered = np.unique(fold_index, return_inverse=True)
    is_holdout = bool((fold_index < 0).any())
    if len(folds) < 2:
        return None
    problem = Problem.of_features(
        features,
        labels,
        num_classes=len(trained.evidence.data.class_names),
        groups=groups,
        # Folds without gaps: a sample may have missed one.
        fold_index=fold_index if is_holdout else numbered.reshape(-1).astype(np.int64),
        class_weights="balanced",
        seed=trained.config.seed,
    )
    answers: Ints = LinearMaker().fit_folds(problem).logits.argmax(1)
    return answers


def _balanced(right: NDArray[np.bool_], labels: Ints) -> float:
    """Returns the mean of the classes' recalls."""
    return float(np.mean([right[labels == index].mean() for index in np.unique(labels)]))
