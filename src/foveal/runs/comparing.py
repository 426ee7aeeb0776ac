"""A run compared with another run, or with a table of answers, on the images of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.errors import DataError
from foveal.evaluation import Answered, Comparison, Figure, compare_answers, describe_comparison
from foveal.runs.common_images import CommonImages, find_common
from foveal.runs.sides import Side
from foveal.text import count_noun, near_names

_NUM_NAMED = 3


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One side of a comparison.

    ``num_left_out`` of its ``num_images`` images are not compared; ``accuracy_left_out`` is the
    share of those that it got right, where that is known.
    """

    name: str
    kind: Literal["run", "answers"]
    num_images: int
    num_left_out: int
    accuracy_left_out: float | None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two sides on their common images; what ``foveal compare --json`` writes.

    Attributes:
        first: What is compared; every difference is the first minus the second.
        second: What it is compared with.
        num_by_content: Common images whose file or pixels are the same on both sides.
        num_by_path: Common images that only their path brings together.
        num_disagreeing: Common images that the two runs give different labels; left out.
        num_unknown_class: Common images of a class that one side does not know; left out.
        verdict: What can be said, as sentences.
        notes: What the comparison rests on, as sentences, one entry a matter.
        comparison: The figures.
    """

    first: ComparedSide
    second: ComparedSide
    num_by_content: int
    num_by_path: int
    num_disagreeing: int
    num_unknown_class: int
    verdict: str
    notes: tuple[str, ...]
    comparison: Comparison


def compare_sides(
    first: Side,
    second: Side,
    *,
    margin: float | None = None,
    figure: Figure = "accuracy",
    seed: int = 0,
) -> RunComparison:
    """Compares two sides on their common images.

    Args:
        first: A run.
        second: A run, or a table of answers.
        margin: How much worse the first may be, as a share.
        figure: What the margin is about.
        seed: Seeds the bootstrap.

    Raises:
        DataError: No image or fewer than two classes are common, or the labels disagree
            throughout.
        UsageError: The margin is no share.
    """
    names = _common_classes(first, second)
    common = find_common(first, second)
    rows, other_rows = common.first_rows, common.second_rows
    labels = np.array(first.labels, object)[rows]
    agrees = np.ones(len(rows), bool)
    if second.labels is not None:
        agrees = labels == np.array(second.labels, object)[other_rows]
    knows = np.isin(labels, names)
    kept = agrees & knows
    disagreeing = [
        f"{first.paths[rows[one]]} ({labels[one]} and {(second.labels or ())[other_rows[one]]})"
        for one in np.flatnonzero(~agrees)
    ]
    unknown = [str(one) for one in labels[agrees & ~knows]]
    if not kept.any():
        raise DataError(
            f"{first.name} and {second.name} agree about the label of no common image"
            + (f", first {disagreeing[0]}." if disagreeing else "."),
            next_step="Make both from the same labels.",
        )
    groups, group_notes = _fuse_groups(first, second, rows[kept], other_rows[kept])
    compared = compare_answers(
        _answered(first, rows[kept], names),
        _answered(second, other_rows[kept], names),
        _indices(labels[kept], names),
        groups,
        class_names=names,
        margin=margin,
        figure=figure,
        seed=seed,
    )
    sides = (_side(first, rows[kept]), _side(second, other_rows[kept]))
    return RunComparison(
        *sides,
        num_by_content=common.num_by_content,
        num_by_path=common.num_by_path,
        num_disagreeing=len(disagreeing),
        num_unknown_class=len(unknown),
        verdict=describe_comparison(compared, first.name, second.name),
        notes=(
            *_describe_common(first, second, common, compared),
            *_describe_left_out(sides, compared, disagreeing, unknown),
            *_describe_training(first, second),
            *group_notes,
            *_describe_answers(second, labels[kept], other_rows[kept]),
            *first.notes,
            *second.notes,
        ),
        comparison=compared,
    )


def _common_classes(first: Side, second: Side) -> tuple[str, ...]:
    names = tuple(name for name in first.class_names if name in second.class_names)
    if len(names) >= 2:
        return names
    others = {name.casefold(): name for name in second.class_names if name not in names}
    near = [
        f"'{name}' and '{others[found[0]]}'"
        for name in first.class_names
        if name not in names and (found := near_names(name.casefold(), others, limit=1))
    ]
    hint = f"If {near[0]} are one class, make both runs with one name. " if near else ""
    raise DataError(
        f"{first.name} knows the classes {', '.join(first.class_names)}, {second.name} knows "
        f"{', '.join(second.class_names)}: {count_noun(len(names), 'class', 'classes')} in "
        "common, expected at least two.",
        next_step=f"{hint}Only runs over the same classes can be compared.",
    )


def _indices(labels: Any, names: Sequence[str]) -> NDArray[np.int64]:
    """Returns each label's place among the names; -1 for one that is not among them."""
    index = {name: position for position, name in enumerate(names)}
    return np.array([index.get(label, -1) for label in labels], np.int64)


def _answered(side: Side, rows: NDArray[np.int64], names: tuple[str, ...]) -> Answered:
    columns = [side.class_names.index(name) for name in names]
    return Answered(
        _indices([side.predicted[row] for row in rows], names),
        None if side.scores is None else side.scores[rows][:, columns],
    )


def _side(side: Side, kept: NDArray[np.int64]) -> ComparedSide:
    left_out = np.setdiff1d(np.arange(len(side.paths)), kept)
    right = None
    if side.labels is not None and len(left_out):
        right = float(np.mean([side.labels[row] == side.predicted[row] for row in left_out]))
    return ComparedSide(side.name, side.kind, len(side.paths), len(left_out), right)


def _fuse_groups(
    first: Side, second: Side, rows: NDArray[np.int64], other_rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """Returns groups that hold together what either run does, shape [P], and what is amiss."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    assert first.groups is not None  # the first side is a run
    groups = first.groups[rows]
    if second.groups is None:
        return groups, []
    others = second.groups[other_rows]
    _, left = np.unique(groups, return_inverse=True)
    _, right = np.unique(others, return_inverse=True)
    size = int(left.max()) + 1
    joined = coo_array(
        (np.ones(len(left)), (left, size + right)), shape=(size + int(right.max()) + 1,) * 2
    )
    _, component = connected_components(joined, directed=False)
    notes = [
        f"{side.name} has images of {count_noun(num_split, 'group')} of {other.name} in several "
        "folds: it was judged on images whose group it had been trained on, so its figures may "
        "be too high."
        for side, side_rows, other, members in (
            (first, rows, second, others),
            (second, other_rows, first, groups),
        )
        if (num_split := _num_split(members, side.folds, side_rows))
    ]
    return component[left].astype(np.int64), notes


def _num_split(
    groups: NDArray[np.int64], folds: NDArray[np.int64] | None, rows: NDArray[np.int64]
) -> int:
    """Returns how many groups have images in more than one fold."""
    if folds is None:
        return 0
    pairs = np.unique(np.stack([groups, folds[rows]], axis=1), axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def _describe_common(
    first: Side, second: Side, common: CommonImages, compared: Comparison
) -> list[str]:
    groups = (
        "each on its own"
        if compared.num_groups == compared.num_images
        else f"in {count_noun(compared.num_groups, 'group')}"
    )
    notes = [f"Compared on {count_noun(compared.num_images, 'common image')}, {groups}."]
    if common.num_by_path and second.kind == "run":
        notes.append(
            f"{count_noun(common.num_by_path, 'image')} of the two runs have the same path, but "
            "different contents: they were taken for the same image. Make sure that they are."
        )
    return notes


def _describe_left_out(
    sides: tuple[ComparedSide, ComparedSide],
    compared: Comparison,
    disagreeing: Sequence[str],
    unknown: Sequence[str],
) -> list[str]:
    notes = []
    for side, accuracy in zip(
        sides, (compared.accuracy.first, compared.accuracy.second), strict=True
    ):
        if not side.num_left_out:
            continue
        whole = f"{side.num_left_out:,} of the {side.num_images:,}"
        text = f"Left out: {whole} images that {side.name} answered."
        if side.accuracy_left_out is not None:
            text += (
                f" It is right in {percent(side.accuracy_left_out, digits=1)} of those and in "
                f"{percent(accuracy, digits=1)} of the common ones: the comparison says nothing "
                "about images that were left out."
            )
        notes.append(text)
    if disagreeing:
        more = "; and more" if len(disagreeing) > _NUM_NAMED else ""
        shown = "; ".join(disagreeing[:_NUM_NAMED]) + more
        notes.append(
            f"The two runs give {count_noun(len(disagreeing), 'common image')} different labels, "
            f"so they were left out: {shown}."
        )
    if unknown:
        classes = ", ".join(f"{name} ({number:,})" for name, number in Counter(unknown).items())
        notes.append(
            f"Only one side knows these classes, so their images were left out: {classes}."
        )
    return notes


def _describe_training(first: Side, second: Side) -> list[str]:
    if second.kind == "answers":
        return [
            f"Every answer of {first.name} is out of fold: it comes from a model that had not "
            f"seen the image. Whether whoever answered in {second.name} had seen the images or "
            "their labels before is not known here."
        ]
    if first.trained_on == second.trained_on:
        return ["Both were made from the same images, and every answer is out of fold."]
    both = len(first.trained_on & second.trained_on)
    return [
        f"The two were made from different images: {first.name} from {len(first.trained_on):,}, "
        f"{second.name} from {len(second.trained_on):,}, {both:,} of them the same. Every answer "
        "is out of fold on both sides, from a model that had not seen that image. So the "
        "difference is that of two whole ways to a classifier, their training images included; "
        "it does not say which method is better on the same images."
    ]


def _describe_answers(second: Side, labels: Any, rows: NDArray[np.int64]) -> list[str]:
    if second.kind == "run":
        return []
    notes = []
    if all(second.predicted[row] == label for row, label in zip(rows, labels, strict=True)):
        notes.append(
            f"Every answer in {second.name} is the true label: is it a table of the labels "
            "instead of somebody's answers?"
        )
    scores = np.zeros((1, 1)) if second.scores is None else second.scores
    missing = [second.class_names[k] for k in np.flatnonzero(np.isnan(scores).any(axis=0))]
    if missing:
        named = ", ".join(missing)
        notes.append(
            f"{second.name} has no probabilities of {named}: the mean area under the ROC curve "
            "is over the other classes, on both sides."
        )
    return notes
