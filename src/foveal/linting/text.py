"""Findings at 80 columns, the gravest first; the locations of one rule stand together."""

from __future__ import annotations

from collections.abc import Mapping

from foveal.draw.text_layout import COLUMNS, Style, plain, shorten_middle, wrap
from foveal.linting.finding import Finding, LintReport
from foveal.text import count_noun, printable

WORDS = {"error": "ERROR", "warning": "WARNING", "info": "NOTE"}
MAX_LOCATIONS = 5


def render_lint_text(
    report: LintReport, *, titles: Mapping[str, str], name: str = "", style: Style = plain
) -> str:
    """Returns the findings grouped by severity and rule, then the rules that could not tell.

    Args:
        report: What the linter found.
        titles: What each rule is called, by code.
        name: How the model was named; its class if empty.
        style: Adds colour to finished pieces; the layout does not depend on it.
    """
    blocks = [_heading(report, name)]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    blocks += [_group(findings, titles, style) for findings in groups.values()]
    if report.undetermined:
        blocks.append(_undetermined(report.undetermined, style))
    blocks.append(_verdict(report, style))
    return "\n\n".join(blocks)


def _heading(report: LintReport, name: str) -> str:
    shape = "×".join(str(size) for size in report.input_shape or ()) or "unknown"
    return wrap(
        f"{name or report.model_type} at {shape} (from: {report.input_source}): "
        f"{count_noun(len(report.outcomes), 'rule')}."
    )


def _group(findings: list[Finding], titles: Mapping[str, str], style: Style) -> str:
    first = findings[0]
    word = f"{WORDS[first.severity]}  "
    times = f" ({count_noun(len(findings), 'location')})" if len(findings) > 1 else ""
    head = wrap(f"{first.code} {titles.get(first.code, '')}{times}", indent="  ", first=word)
    lines = [style(word, first.severity) + head[len(word) :]]
    lines.append(wrap(first.evidence, indent="  "))
    others = [finding.location for finding in findings[1:]]
    lines += [
        f"    also {shorten_middle(printable(location), COLUMNS - 9)}"
        for location in others[:MAX_LOCATIONS]
    ]
    if len(others) > MAX_LOCATIONS:
        lines.append(f"    and {len(others) - MAX_LOCATIONS:,} more")
    lines.append(wrap(first.fix, indent="     ", first="  -> "))
    lines.append(style(f"     foveal lint --explain {first.code}", "quiet"))
    return "\n".join(lines)


def _undetermined(reasons: Mapping[str, str], style: Style) -> str:
    by_reason: dict[str, list[str]] = {}
    for code, reason in reasons.items():
        by_reason.setdefault(reason, []).append(code)
    word = "COULD NOT TELL  "
    blocks = []
    for reason, codes in by_reason.items():
        block = wrap(f"{', '.join(codes)}: {reason}", indent="  ", first=word)
        blocks.append(style(word, "warning") + block[len(word) :])
    return "\n".join(blocks)


def _verdict(report: LintReport, style: Style) -> str:
    counts = {
        severity: sum(finding.severity == severity for finding in report.findings)
        for severity in WORDS
    }
    notes = count_noun(counts["info"], "note")
    if not counts["error"] and not counts["warning"]:
        unknown = count_noun(len(report.undetermined), "rule")
        if report.undetermined:
            return style(f"No error, no warning, {notes}; {unknown} could not tell.", "warning")
        return style(f"No error, no warning, {notes}.", "good")
    errors, warnings = (
        count_noun(counts["error"], "error"),
        count_noun(counts["warning"], "warning"),
    )
    return style(f"{errors}, {warnings}, {notes}.", "error" if counts["error"] else "warning")
