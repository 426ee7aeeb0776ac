"""What a rule says: a finding, and the three ways in which looking for one can end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing, at one place of one model.

    Attributes:
        code: The rule's code, such as ``"S101"``.
        severity: ``error``: the result is wrong or will be; ``warning``: it very likely costs
            accuracy, memory or correctness; ``info``: true, harmless, worth knowing.
        place: Qualified name of the layer or operation; ``""`` is the whole model.
        evidence: One or two sentences with numbers measured on this model.
        fix: What to do, as an imperative sentence.
        fix_id: Name of the mechanical fix that ``foveal.linting.fix`` applies, if there is one.
        data: The evidence's numbers, as plain JSON values. Read-only.
    """

    code: str
    severity: Severity
    place: str
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
            "place": self.place,
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
    """The model has nothing that the rule speaks about, such as batch norm or a batch."""

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
    """Raised by a shared fact that is not to be had; the engine makes it ``Undetermined``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefusedInputError(CannotTellError):
    """The model does not take its input, or raises of itself."""
