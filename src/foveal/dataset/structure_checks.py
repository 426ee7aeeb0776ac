"""D024 and D025: structure that could be groups, and what was read and is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foveal.dataset.findings import AuditFinding, AuditSubject
from foveal.dataset.structure import (
    Candidate,
    find_structure,
    linked,
    nests_in,
    signatures,
)
from foveal.text import count_noun, printable

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
