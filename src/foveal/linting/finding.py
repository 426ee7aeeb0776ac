"""What a rule says, how a look can end, and the report of a whole run.

At 80 columns the gravest findings come first; the locations of one rule stand together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from foveal.draw.text_layout import COLUMNS, Style, plain, shorten_middle, wrap
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


Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or useful to know, at one location in one model.

    Attributes:
        code: The rule's code, such as ``"S101"``.
        severity: ``error``: the result is wrong or will be; ``warning``: it very likely costs
            accuracy, memory or correctness; ``info``: true, harmless, useful to know.
        location: Qualified name of the layer, operation or parameter; ``""`` is the whole model.
        evidence: One or two sentences with numbers measured on this model.
        fix: What to do, as an imperative sentence.
        fix_id: Name of the mechanical fix that ``foveal.fix`` applies, if there is one.
        data: The evidence's numbers, as plain JSON values. Read-only.
    """

    code: str
    severity: Severity
    location: str
    evidence: str
    fix: str
    fix_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", MappingProxyType(dict(self.data)))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "location": self.location,
            "evidence": self.evidence,
            "fix": self.fix,
            "fix_id": self.fix_id,
            "data": dict(self.data),
            "explained_by": f"foveal lint --explain {self.code}",
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """The rule looked everywhere it had to; ``findings`` may be empty: nothing is wrong."""

    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The rule needs something that is missing here, such as a batch norm or a batch."""

    reason: str


@dataclass(frozen=True, slots=True)
class Undetermined:
    """The rule should have looked and could not tell.

    Attributes:
        reason: Why.
        is_refused_input: Whether the model itself does not work on the input, so that there
            was nothing to look at.
    """

    reason: str
    is_refused_input: bool = False


Outcome = Checked | NotApplicable | Undetermined


class CannotTellError(Exception):
    """Raised by a shared fact that cannot be computed; the engine makes it ``Undetermined``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefusedInputError(CannotTellError):
    """The model does not take its input, or raises of itself."""


_OUTCOME_WORDS = {NotApplicable: "not applicable", Undetermined: "undetermined"}


@dataclass(frozen=True, slots=True)
class LintReport:
    """All findings of one run, and how each rule's look ended.

    Attributes:
        model_type: Class name of the model.
        input_shape: Of one image, ``(C, H, W)``; None when it could not be told.
        input_source: Where that shape comes from.
        findings: The gravest first, then by code, then in the order of execution.
        outcomes: By code, for every rule that was selected.
    """

    model_type: str
    input_shape: tuple[int, ...] | None
    input_source: str
    findings: tuple[Finding, ...]
    outcomes: Mapping[str, Outcome] = field(hash=False)

    def __str__(self) -> str:
        """Returns what ``foveal lint`` prints."""
        from foveal.linting.rules import RULES

        return render_lint_text(self, titles={rule.code: rule.title for rule in RULES})

    def count(self, severity: Severity) -> int:
        """Returns the number of findings of that severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def of(self, code: str) -> tuple[Finding, ...]:
        """Returns the findings of one rule."""
        return tuple(finding for finding in self.findings if finding.code == code)

    @property
    def undetermined(self) -> dict[str, str]:
        """Reason by code, for the rules that could not tell."""
        return {
            code: outcome.reason
            for code, outcome in self.outcomes.items()
            if isinstance(outcome, Undetermined)
        }

    @property
    def is_refused_input(self) -> bool:
        """Whether the model does not work on the input, so that rules had nothing to look at."""
        return any(
            isinstance(outcome, Undetermined) and outcome.is_refused_input
            for outcome in self.outcomes.values()
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON: ``findings`` and ``outcomes``."""
        return {
            "model": self.model_type,
            "input_shape": None if self.input_shape is None else list(self.input_shape),
            "input_source": self.input_source,
            "findings": [finding.to_json() for finding in self.findings],
            "outcomes": {code: _outcome_json(outcome) for code, outcome in self.outcomes.items()},
            "counts": {name: self.count(name) for name in ("error", "warning", "info")},
        }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, NotApplicable | Undetermined):
        return {"outcome": _OUTCOME_WORDS[type(outcome)], "reason": outcome.reason}
    return {"outcome": "checked", "num_findings": len(outcome.findings)}
