"""Checks of the groups: whether there are any, whether they leak, whether they tell the class.

D024 and D025 are about structure that could be groups, and what was read and is none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from foveal.dataset.findings import AuditFinding, AuditSubject, examples
from foveal.dataset.group_choice import linked, signatures
from foveal.dataset.layouts import name_some
from foveal.dataset.manifest import ImageRecord
from foveal.dataset.structure import Candidate, find_structure, nests_in
from foveal.text import count_noun, printable

_FEW_GROUPS_PER_CLASS = 3


def check_groups_known(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D022: without groups, every image is taken to stand alone; D023: groups are a guess."""
    if subject.manifest.group_source is None and subject.usable:
        yield AuditFinding(
            code="D022",
            severity="info",
            title="No groups given",
            detail="Images are taken to be independent of one another, except for near copies, "
            "which are kept together. If several show one patient, module or batch, the score "
            "will be too good.",
            fix="Say which belong together: --group-regex, a column 'group', or groups.csv.",
        )
    elif subject.manifest.group_note:
        yield AuditFinding(
            code="D022",
            severity="info",
            title=f"Groups taken from {subject.manifest.group_source}",
            detail=subject.manifest.group_note,
            fix="",
        )
    elif subject.manifest.groups_are_approximate:
        yield AuditFinding(
            code="D023",
            severity="info",
            title="The groups are approximate",
            detail=f"They come from {subject.manifest.group_source} and are a guess; images "
            "that belong together may still be in different groups.",
            fix="Replace them by the true ones when you can.",
        )


def check_groups_across_splits(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D014: one group on both sides of a given split."""
    members = _members(subject)
    torn = [name for name, records in members.items() if len({r.split for r in records}) > 1]
    if torn:
        records = [record for name in torn for record in members[name]]
        held_out = sum(record.split != "train" for record in records)
        yield AuditFinding(
            code="D014",
            severity="error",
            title=f"{count_noun(len(torn), 'group')} on both sides of the given split",
            detail=f"{name_some(torn)}: {count_noun(held_out, 'image')} of val and test belong "
            "to a group that another split holds too. The score on them is too good.",
            fix="Move each group into one split, or let Foveal make the split.",
            paths=examples(records),
            num_affected=len(records),
        )


def check_groups_predict_class(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D015: so few groups, each of one class, that the group gives the class away."""
    members = _members(subject)
    alone = sum(record.group is None for record in subject.usable)
    num_classes = len(subject.manifest.class_names)
    if alone or num_classes < 2 or all(len(records) == 1 for records in members.values()):
        return
    labels_by_group = {name: {r.label for r in records} for name, records in members.items()}
    groups_by_class = Counter(
        label or "" for labels in labels_by_group.values() for label in labels
    )
    single = [name for name, count in groups_by_class.items() if count == 1]
    if single:
        yield AuditFinding(
            code="D015",
            severity="error",
            title=f"{count_noun(len(single), 'class', 'classes')} in a single group",
            detail=f"All images of {name_some(single)} belong to one group. Nothing can tell the "
            "class from the group, and the class cannot be both trained on and tested.",
            fix="Add images of the class from another source.",
            num_affected=sum(record.label in single for record in subject.usable),
        )
    elif (
        all(len(labels) == 1 for labels in labels_by_group.values())
        and len(members) <= _FEW_GROUPS_PER_CLASS * num_classes
    ):
        yield AuditFinding(
            code="D015",
            severity="warning",
            title="The group gives the class away",
            detail=f"Each of {count_noun(len(members), 'group')} holds images of one class only. "
            "Whatever marks a group, such as its camera or its light, marks the class.",
            fix="Collect images of every class from every source.",
            num_affected=len(subject.usable),
        )


def _members(subject: AuditSubject) -> dict[str, list[ImageRecord]]:
    members: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in subject.usable:
        if record.group is not None:
            members[record.group].append(record)
    return members


_MAX_CANDIDATES = 4
_MAX_COLUMNS = 12


def check_structure(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D024: what could be groups, by name or by looks; D025: what was read and is none.

    D026: what goes with the class although it is none.
    """
    structure = find_structure(subject.manifest)
    candidates = [one for one in structure.candidates if not nests_in(one.groups, subject.groups)]
    alike = linked(
        signatures(subject.manifest), subject.manifest.labels, subject.groups, candidates
    )
    found: list[AuditFinding] = []
    quiet = list(structure.passed_over)
    for one, is_alike in zip(candidates, alike, strict=True):
        is_telling = is_alike or one.meaning in ("source", "surroundings")
        if is_telling and len(found) < _MAX_CANDIDATES:
            found.append(describe_candidate(one, is_alike=is_alike))
        elif one.kind == "column":
            quiet.append((one.source, "images that share it look no more alike than others"))
    yield from describe_confounded(structure.confounded)
    yield from found
    yield from describe_passed_over(quiet)


def describe_candidate(
    candidate: Candidate,
    *,
    is_alike: bool,
    measured: str = "",
    is_harmful: bool = False,
    is_kept: bool = False,
) -> AuditFinding:
    """Returns the finding about one candidate.

    Args:
        candidate: What could be groups.
        is_alike: Whether images that share its value look alike.
        measured: What a test showed, as sentences; nothing where there was none.
        is_harmful: Whether the test showed that ignoring it flatters the figures.
        is_kept: Whether its images were kept together.
    """
    also = f" So does {', '.join(candidate.also)}." if candidate.also else ""
    looks = (
        "Images that share it look more alike than others of their class."
        if is_alike
        else "Images that share it look no more alike than others of their class."
    )
    tested = measured or "Whether that flatters the accuracy is tested by foveal train."
    return AuditFinding(
        code="D024",
        severity="warning" if is_harmful or (is_alike and not measured) else "info",
        title=f"Could be groups: {candidate.source}",
        detail=f"It puts the images into {candidate.num_groups:,} groups, such as "
        f"'{printable(candidate.example)}'.{also} {looks} {tested}",
        fix=""
        if is_kept
        else f"If they come from one patient, part or place each: {candidate.option}",
        num_affected=sum(value is not None for value in candidate.values),
    )


def describe_confounded(sources: Sequence[str]) -> Iterator[AuditFinding]:
    """Yields the warning about cameras, sites and the like that tell the class by themselves."""
    for source in sources:
        yield AuditFinding(
            code="D026",
            severity="warning",
            title=f"{source[:1].upper()}{source[1:]} tells the class by itself",
            detail="Each of its values goes with one class alone. Whatever differs between them, "
            "such as light, lens or background, can pass for the class, and no figure can tell "
            "the two apart.",
            fix="Add images of every class from each of them.",
        )


def describe_passed_over(passed: Sequence[tuple[str, str]]) -> Iterator[AuditFinding]:
    """Yields the finding about columns that say nothing about groups; pairs of name and why."""
    if passed:
        shown = "; ".join(f"{source}: {reason}" for source, reason in passed[:_MAX_COLUMNS])
        more = len(passed) - _MAX_COLUMNS
        yield AuditFinding(
            code="D025",
            severity="info",
            title=f"{count_noun(len(passed), 'column')} of the table not used as groups",
            detail=f"{shown}{f'; and {more:,} more' if more > 0 else ''}.",
            fix="To use one all the same: --group-column NAME.",
        )
