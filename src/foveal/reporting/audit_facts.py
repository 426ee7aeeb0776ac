"""The audit as the report reads it, whether it came as an object or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from foveal.reporting.numbers import count
from foveal.reporting.report_input import AuditLike

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """One thing that the audit found.

    ``paths`` are examples; ``num_affected`` says how many files it is about in all.
    """

    code: str
    severity: Severity
    title: str
    detail: str
    paths: tuple[str, ...]
    fix: str
    num_affected: int


def describe_rest(finding: FindingFacts, *, num_shown: int) -> str:
    """Returns what is not shown: ``"and 12 more"``, ``"and more"`` or nothing.

    Copies come as sets, several files a line (``"a.png = b.png"``); lines are then not files,
    and their number would mislead.
    """
    if any(" = " in path for path in finding.paths):
        return "and more" if len(finding.paths) > num_shown else ""
    rest = finding.num_affected - min(num_shown, len(finding.paths))
    return f"and {count(rest)} more" if finding.paths and rest > 0 else ""


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What the audit found, the gravest first, and what kinds of files it saw.

    ``tallies`` are pairs of a heading and its counts, such as ``("Formats", {"PNG": 500})``.
    """

    num_images: int
    num_bad: int
    num_groups: int | None
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    findings: tuple[FindingFacts, ...]
    tallies: tuple[tuple[str, Mapping[str, int]], ...]


def read_audit(audit: AuditLike) -> AuditFacts:
    """Returns what the report shows of an audit."""
    values: Mapping[str, Any] = audit if isinstance(audit, Mapping) else audit.to_json()
    findings = [_finding(item) for item in values.get("findings") or ()]
    return AuditFacts(
        num_images=int(values.get("num_images") or 0),
        num_bad=int(values.get("num_bad") or 0),
        num_groups=None if values.get("num_groups") is None else int(values["num_groups"]),
        class_names=tuple(str(name) for name in values.get("class_names") or ()),
        class_counts=tuple(int(value) for value in values.get("class_counts") or ()),
        findings=tuple(sorted(findings, key=lambda item: SEVERITIES.index(item.severity))),
        tallies=tuple(
            (heading, tally)
            for heading, key in (
                ("Split", "split_counts"),
                ("Sizes", "sizes"),
                ("Modes", "modes"),
                ("Formats", "formats"),
            )
            if (tally := _tally(values.get(key)))
        ),
    )


def _finding(item: Mapping[str, Any]) -> FindingFacts:
    severity = str(item.get("severity") or "info")
    paths = tuple(str(path) for path in item.get("paths") or ())
    return FindingFacts(
        code=str(item.get("code") or ""),
        # An unknown severity is shown as the mildest rather than lost.
        severity=next((known for known in SEVERITIES if known == severity), "info"),
        title=str(item.get("title") or item.get("code") or ""),
        detail=str(item.get("detail") or ""),
        paths=paths,
        fix=str(item.get("fix") or ""),
        num_affected=max(int(item.get("num_affected") or 0), len(paths)),
    )


def _tally(value: Any) -> Mapping[str, int]:
    """Returns counts by name from a mapping or from pairs; anything else is left out."""
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, (list, tuple)):
        pairs = [tuple(item) for item in value if isinstance(item, (list, tuple))]
    else:
        return {}
    return {str(name): int(number) for name, number in pairs if isinstance(number, (int, float))}
