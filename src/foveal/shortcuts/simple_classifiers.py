"""How far a classifier comes that sees nothing of what the pictures show.

Linear heads are fitted on each family of simple features, with the folds and groups of the run
and by its own solver, and judged out of fold on the same pictures as the network.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError
from foveal.features import num_cores
from foveal.shortcuts.simple import SimpleName, SimpleResult
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
    unrest_of,
)

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

Progress = Callable[[int, int], None]
Ints = NDArray[np.int64]

_MAX_IMAGES = 400
_MIN_PER_CLASS = 8
_NOT_JUDGED = -1


@dataclass(frozen=True, slots=True, eq=False)
class _Simple:
    """What one picture and its file say without being looked at."""

    colour: list[float]
    borders: tuple[list[float], ...]
    unrest: Rows
    properties: dict[str, float]


def judge_simple_classifiers(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> tuple[tuple[SimpleResult, ...], str | None]:
    """Returns what classifiers of simple features reach, and else why none was tried.

    Args:
        trained: The classifier with its folds.
        progress: Called with (done, total) pictures.
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
    place_of = np.full(len(labels), -1)
    place_of[trained.judged.rows] = np.arange(len(trained.judged.rows))
    judged = fold_index >= 0
    said = trained.judged.logits[place_of[rows[judged]]].argmax(1)
    network_right = said == labels[rows[judged]]
    results = []
    for name, margin, features in _families(simple):
        if not features.shape[1]:
            continue
        answers = _out_of_fold(trained, features, labels[rows], fold_index, trained.groups[rows])
        if answers is None:
            continue
        right = answers[judged] == labels[rows[judged]]
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


def _families(simple: list[_Simple]) -> list[tuple[SimpleName, float | None, Rows]]:
    """Returns name, margin and features [N, D] of each family."""
    families: list[tuple[SimpleName, float | None, Rows]] = [
        ("colour", None, standardised(np.array([one.colour for one in simple])))
    ]
    for index, margin in enumerate(MARGINS):
        table = np.array([one.borders[index] for one in simple])
        families.append(("border", margin, standardised(table)))
    unrest = np.stack([one.unrest for one in simple])
    families.append(("pattern", MARGINS[-1], standardised(patterns_of(unrest))))
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
    if len(judged.fold_heads) > 1:
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
) -> list[_Simple | None]:
    manifest, preprocessing = trained.manifest, trained.preprocessing
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)

    def load(row: int) -> _Simple | None:
        record = manifest.usable[row]
        path = manifest.resolve(record)
        try:
            image = preprocessing.apply(path)
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except (FovealError, OSError):
            return None  # it went away meanwhile
        levels = np.clip(image.transpose(1, 2, 0) * std + mean, 0.0, 1.0)
        return _Simple(
            colour_of(levels),
            tuple(border_of(levels, margin) for margin in MARGINS),
            unrest_of(levels),
            properties_of(record, head),
        )

    found: list[_Simple | None] = []
    with ThreadPoolExecutor(trained.config.num_workers or num_cores()) as pool:
        for one in pool.map(load, map(int, rows)):
            found.append(one)
            if progress is not None:
                progress(len(found), len(rows))
    return found


def _out_of_fold(
    trained: TrainedClassifier, features: Rows, labels: Ints, fold_index: Ints, groups: Ints
) -> Ints | None:
    """Returns what the heads answer, [N], each by one that had not seen the picture's group."""
    from foveal.training.cross_validation import choose_penalty, cross_validate
    from foveal.training.heads import fit_head

    config = trained.config
    num_classes = len(trained.evidence.data.class_names)
    if (fold_index >= 0).all():
        folds, numbered = np.unique(fold_index, return_inverse=True)
        if len(folds) < 2:
            return None
        crossed = cross_validate(
            features,
            labels,
            numbered.reshape(-1).astype(np.int64),
            groups=groups,
            num_classes=num_classes,
            class_weights="balanced",
            seed=config.seed,
        )
        crossed_answers: Ints = crossed.logits.argmax(1)
        return crossed_answers
    train = np.flatnonzero(fold_index < 0)
    penalty, _ = choose_penalty(
        features[train],
        labels[train],
        groups=groups[train],
        num_classes=num_classes,
        class_weights="balanced",
        seed=config.seed,
    )
    head = fit_head(
        features[train],
        labels[train],
        penalty=penalty,
        num_classes=num_classes,
        class_weights="balanced",
    )
    answers: Ints = head.logits(features).argmax(1)
    return answers


def _balanced(right: NDArray[np.bool_], labels: Ints) -> float:
    """Returns the mean of the classes' recalls."""
    return float(np.mean([right[labels == index].mean() for index in np.unique(labels)]))
