"""Checks of the classes, and of images that are there more than once.

How many classes there are, how they are named and filled; what copies do to a split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from foveal.dataset.findings import AuditFinding, AuditSubject, examples_of_sets
from foveal.dataset.layouts import name_some
from foveal.draw.numbers import percent
from foveal.text import count_noun

_IMBALANCE_INFO = 3.0
_IMBALANCE_WARNING = 10.0
_TINY = 10


def check_single_class(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D007: nothing to tell apart."""
    names = subject.manifest.class_names
    if len(names) < 2:
        kind = f"is one class, '{names[0]}'" if names else "are no labelled images"
        unlabelled = sum(
            record.label is None and record.problem is None for record in subject.manifest.records
        )
        if unlabelled:
            kind += f", and {count_noun(unlabelled, 'image')} without a label"
        yield AuditFinding(
            code="D007",
            severity="error",
            title="Fewer than two classes",
            detail=f"There {kind}; a classifier needs two classes or more.",
            fix="Put the images of each class into a folder of its own.",
        )


def check_imbalance(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D005: one class much larger than another."""
    counts, names = subject.class_counts, subject.manifest.class_names
    if len(names) < 2:
        return
    most, least = int(counts.argmax()), int(counts.argmin())
    ratio = counts[most] / counts[least]
    if ratio >= _IMBALANCE_INFO:
        yield AuditFinding(
            code="D005",
            severity="warning" if ratio >= _IMBALANCE_WARNING else "info",
            title=f"Classes of unequal size, {ratio:.0f} to 1",
            detail=f"'{names[most]}' has {count_noun(int(counts[most]), 'image')}, "
            f"'{names[least]}' has {counts[least]:,}. Always answering '{names[most]}' would be "
            f"right in {percent(counts[most] / counts.sum())} of cases, so look at balanced "
            "accuracy.",
            fix=f"More images of '{names[least]}' would help most.",
            num_affected=int(counts[least]),
        )


def check_tiny_classes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D006: classes with a handful of images."""
    counts, names = subject.class_counts, subject.manifest.class_names
    tiny = [k for k in np.argsort(counts, kind="stable") if counts[k] < _TINY]
    if tiny:
        shown = name_some([f"'{names[k]}' ({counts[k]})" for k in tiny])
        yield AuditFinding(
            code="D006",
            severity="error" if counts[tiny[0]] < 2 else "warning",
            title=f"{count_noun(len(tiny), 'class', 'classes')} with fewer than {_TINY} images",
            detail=f"{shown}. Figures for them will be little more than anecdotes, and a class "
            "needs two images to be trained on and tested.",
            fix="Add images, join the class with another one, or leave such classes out: "
            f"--min-images {_TINY}.",
            num_affected=int(counts[tiny].sum()),
        )


def _as_number(name: str) -> str | None:
    """Returns a number in one spelling, so that ``"1"``, ``"1.0"`` and ``"01"`` are alike."""
    try:
        return repr(float(name))
    except ValueError:
        return None


def check_similar_names(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D008: class names that differ only in case, blanks or punctuation, or are one number."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in subject.manifest.class_names:
        key = _as_number(name) or "".join(filter(str.isalnum, name.casefold()))
        alike[key or name].append(name)
    sets = [names for names in alike.values() if len(names) > 1]
    if sets:
        counts = dict(zip(subject.manifest.class_names, subject.class_counts, strict=True))
        shown = "; ".join(" and ".join(f"'{name}'" for name in names) for names in sets)
        yield AuditFinding(
            code="D008",
            severity="warning",
            title=f"{count_noun(len(sets), 'class name')} in more than one spelling",
            detail=f"{shown} are taken as different classes.",
            fix="If they are the same class, give them one name.",
            num_affected=sum(int(counts[name]) for names in sets for name in names),
        )


def check_split_classes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D021: a class that one of the given splits does not have."""
    if not subject.manifest.has_splits:
        return
    present: defaultdict[str, set[str]] = defaultdict(set)
    for record in subject.usable:
        present[record.split or "none"].add(record.label or "")
    for split, labels in sorted(present.items()):
        absent = [name for name in subject.manifest.class_names if name not in labels]
        if absent:
            yield AuditFinding(
                code="D021",
                severity="error" if split == "train" else "warning",
                title=f"The split '{split}' lacks {count_noun(len(absent), 'class', 'classes')}",
                detail=f"It has no usable image of {name_some(absent)}, so that class cannot be "
                + ("learnt." if split == "train" else "scored there."),
                fix="Check whether the class is named alike in all splits.",
            )


_LARGE_SET = 50
_LARGE_SHARE = 0.05


def check_exact_duplicates(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D002: the same image in several files."""
    sets = subject.duplicates.exact
    if sets:
        num_spare = sum(len(members) - 1 for members in sets)
        yield AuditFinding(
            code="D002",
            severity="warning",
            title=f"{count_noun(num_spare, 'exact duplicate')}",
            detail=f"{count_noun(len(sets), 'image')} in {_count(sets):,} files, equal byte for "
            "byte or pixel for pixel. Copies stay in one fold, so they do not leak, but they "
            "count several times.",
            fix="Keep one file of each.",
            paths=examples_of_sets(subject.usable, sets),
            num_affected=_count(sets),
        )


def check_near_duplicates(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D003: images that differ only in how they were stored, cut, lit, mirrored or turned."""
    sets = subject.duplicates.near
    if sets:
        split_labels = [members for members in sets if _num_labels(subject, members) > 1]
        telling_first = sorted(sets, key=lambda members: -_num_labels(subject, members))
        also = (
            f" {count_noun(len(split_labels), 'set')} of them "
            f"{'carries' if len(split_labels) == 1 else 'carry'} more than one label."
            if split_labels
            else ""
        )
        if turned := subject.duplicates.turned:
            also += (
                f" {count_noun(len(turned), 'set')} of them "
                f"{'holds' if len(turned) == 1 else 'hold'} mirrored or turned copies."
            )
        yield AuditFinding(
            code="D003",
            severity="warning",
            title=f"{count_noun(len(sets), 'set')} of near duplicates",
            detail=f"{count_noun(_count(sets), 'image')} look the same as another one. Each set "
            f"stays in one fold.{also}",
            fix="Look at them: are they copies, or taken of one thing? Groups should say so.",
            paths=examples_of_sets(subject.usable, telling_first),
            num_affected=_count(sets),
        )


def check_conflicting_labels(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D004: the same image under two labels."""
    sets = subject.duplicates.conflicting
    if sets:
        yield AuditFinding(
            code="D004",
            severity="error",
            title=f"{count_noun(len(sets), 'image')} under more than one label",
            detail=f"{count_noun(_count(sets), 'file')} hold the same image as a file of "
            "another class. At least one label of each is wrong.",
            fix="Find out which label is right and remove the other files.",
            paths=examples_of_sets(subject.usable, sets),
            num_affected=_count(sets),
        )


def check_large_sets(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D018: near duplicates chained into one very large group."""
    num_images = len(subject.usable)
    for members in subject.duplicates.near:
        share = len(members) / num_images
        if len(members) > _LARGE_SET or (share > _LARGE_SHARE and len(members) > 10):
            yield AuditFinding(
                code="D018",
                severity="warning",
                title=f"{count_noun(len(members), 'image')} chained into one set",
                detail=f"Each is a near duplicate of another one in the set, which holds "
                f"{percent(share)} of all images and stays in one fold. That is right for the "
                "frames of one video; it is wrong if the images only look alike.",
                fix="If they are different things, take most of them out and look again; if "
                "they are one, thin them out.",
                paths=examples_of_sets(subject.usable, [members]),
                num_affected=len(members),
            )


def check_copies_across_splits(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D013: copies on both sides of a given split."""
    sets = [
        members
        for members in (*subject.duplicates.exact, *subject.duplicates.near)
        if len({subject.usable[i].split for i in members}) > 1
    ]
    if sets:
        leaked = {i for members in sets for i in members if subject.usable[i].split != "train"}
        yield AuditFinding(
            code="D013",
            severity="error",
            title=f"{count_noun(len(sets), 'image')} on both sides of the given split",
            detail=f"{count_noun(len(leaked), 'image')} of val and test have a copy in another "
            "split. A score on them would say how well the classifier remembers, so training "
            "leaves copies of its images out of the figures.",
            fix="Remove the copies from val and test, or let Foveal make the split.",
            paths=examples_of_sets(subject.usable, sets),
            num_affected=sum(len(members) for members in sets),
        )


def _num_labels(subject: AuditSubject, members: Sequence[int]) -> int:
    return len({subject.usable[i].label for i in members})


def _count(sets: Sequence[Sequence[int]]) -> int:
    return sum(len(members) for members in sets)
