"""The audit as the report reads it, from an object or from JSON, and as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from foveal.draw.numbers import percent
from foveal.draw.text_layout import (
    COLUMNS,
    Style,
    display_width,
    facts,
    pad,
    plain,
    shorten_middle,
    wrap,
)
from foveal.reporting.figures import NUM_WEAKEST, are_many
from foveal.reporting.numbers import count
from foveal.reporting.report_input import AuditLike
from foveal.text import count_noun

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
    findings = [_read_finding(item) for item in values.get("findings") or ()]
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


def _read_finding(item: Mapping[str, Any]) -> FindingFacts:
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


MAX_PATHS = 5
BAR_COLUMNS = 30
WORDS = {"error": "ERROR", "warning": "WARNING", "info": "NOTE"}


def render_audit_text(audit: AuditLike, *, style: Style = plain) -> str:
    """Returns classes, kinds of files and findings, then how many errors and warnings.

    Args:
        audit: An ``Audit`` or its JSON values.
        style: Adds colour to finished pieces; the layout does not depend on it.
    """
    values = read_audit(audit)
    blocks = [_summary(values)]
    if values.class_counts:
        blocks.append(_classes(values))
    if values.tallies:
        blocks.append(
            facts(
                [
                    (heading, ", ".join(f"{name} ({count(n)})" for name, n in _top(dict(tally))))
                    for heading, tally in values.tallies
                ],
                style=style,
            )
        )
    blocks += [_finding(item, style) for item in values.findings]
    blocks.append(_verdict(values, style))
    return "\n\n".join(blocks)


def finding_line(finding: FindingFacts, *, style: Style = plain) -> str:
    """Returns a finding and its fix in a few lines, the severity first."""
    word = f"{WORDS[finding.severity]}  "
    text = f"{finding.title.rstrip('.')}. {finding.fix}".strip()
    block = wrap(text, indent="  ", first=word)
    return style(word, finding.severity) + block[len(word) :]


def _summary(values: AuditFacts) -> str:
    text = f"{count_noun(values.num_images, 'image')}"
    if values.class_names:
        text += f" in {count_noun(len(values.class_names), 'class', 'classes')}"
    if values.num_groups is not None and values.num_groups < values.num_images:
        text += f", {count_noun(values.num_groups, 'group')}"
    if values.num_bad:
        text += f"; {count_noun(values.num_bad, 'file')} cannot be used"
    return wrap(f"{text}.")


def _classes(values: AuditFacts) -> str:
    pairs = list(zip(values.class_names, values.class_counts, strict=False))
    shown = pairs
    if are_many(pairs):
        shown = sorted(pairs, key=lambda pair: pair[1])[:NUM_WEAKEST]
    largest, total = max(1, *values.class_counts), max(1, sum(values.class_counts))
    numbers = [count(number) for _, number in shown]
    digits = max(len(text) for text in numbers)
    room = COLUMNS - BAR_COLUMNS - digits - 11
    names = [shorten_middle(name, room) for name, _ in shown]
    width = max(display_width(name) for name in names)
    lines = [
        f"{pad(name, width)}  {pad(text, digits, right=True)}  "
        f"{percent(number / total):>4}  "
        f"{'#' * max(1 if number else 0, round(BAR_COLUMNS * number / largest))}".rstrip()
        for name, text, (_, number) in zip(names, numbers, shown, strict=True)
    ]
    if len(pairs) > len(shown):
        more = count_noun(len(pairs) - len(shown), "class", "classes")
        lines.append(f"and {more} with as many images or more, at most {count(largest)}")
    return "\n".join(lines)


def _finding(finding: FindingFacts, style: Style) -> str:
    word = f"{WORDS[finding.severity]}  "
    head = wrap(finding.title, indent="  ", first=word)
    lines = [style(word, finding.severity) + head[len(word) :]]
    if finding.detail:
        lines.append(wrap(finding.detail, indent="  "))
    lines += [f"    {shorten_middle(path, COLUMNS - 4)}" for path in finding.paths[:MAX_PATHS]]
    rest = describe_rest(finding, num_shown=MAX_PATHS)
    if rest:
        lines.append(f"    {rest}")
    if finding.fix:
        lines.append(wrap(finding.fix, indent="     ", first="  -> "))
    return "\n".join(lines)


def _verdict(values: AuditFacts, style: Style) -> str:
    errors = sum(item.severity == "error" for item in values.findings)
    warnings = sum(item.severity == "warning" for item in values.findings)
    if not errors and not warnings:
        return style("Nothing found that stands in the way of training.", "good")
    text = f"{count_noun(errors, 'error')}, {count_noun(warnings, 'warning')}."
    return style(text, "error" if errors else "warning")


def _top(tally: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(tally.items(), key=lambda item: (-item[1], item[0]))[:6]
