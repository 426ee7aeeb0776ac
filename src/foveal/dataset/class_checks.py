"""Checks of the classes: how many there are, how they are named and how they are filled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from foveal.dataset.findings import AuditFinding, AuditSubject
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
