"""Checks for pictures that are there more than once, and for what that does to a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foveal.dataset.findings import AuditFinding, AuditSubject, examples_of_sets
from foveal.draw.numbers import percent
from foveal.text import count_noun

_LARGE_SET = 50
_LARGE_SHARE = 0.05


def check_exact_duplicates(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D002: the same picture in several files."""
    sets = subject.duplicates.exact
    if sets:
        num_spare = sum(len(members) - 1 for members in sets)
        yield AuditFinding(
            code="D002",
            severity="warning",
            title=f"{count_noun(num_spare, 'exact duplicate')}",
            detail=f"{count_noun(len(sets), 'picture')} in {_count(sets):,} files, equal byte for "
            "byte or pixel for pixel. Copies stay in one fold, so they do not leak, but they "
            "count several times.",
            fix="Keep one file of each.",
            paths=examples_of_sets(subject.usable, sets),
            num_affected=_count(sets),
        )


def check_near_duplicates(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D003: pictures that differ only in how they were stored, cut, lit, mirrored or turned."""
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
    """D004: the same picture under two labels."""
    sets = subject.duplicates.conflicting
    if sets:
        yield AuditFinding(
            code="D004",
            severity="error",
            title=f"{count_noun(len(sets), 'picture')} under more than one label",
            detail=f"{count_noun(_count(sets), 'file')} hold the same picture as a file of "
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
            title=f"{count_noun(len(sets), 'picture')} on both sides of the given split",
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
