"""What a rule says, how a look can end, and the report of a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

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
        from foveal.linting.text import render_lint_text

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
