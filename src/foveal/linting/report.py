"""What a run of the linter found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foveal.linting.finding import Finding, NotApplicable, Outcome, Severity, Undetermined

_WORDS = {NotApplicable: "not applicable", Undetermined: "undetermined"}


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
            "outcomes": {code: _outcome(outcome) for code, outcome in self.outcomes.items()},
            "counts": {name: self.count(name) for name in ("error", "warning", "info")},
        }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, NotApplicable | Undetermined):
        return {"outcome": _WORDS[type(outcome)], "reason": outcome.reason}
    return {"outcome": "checked", "num_findings": len(outcome.findings)}
