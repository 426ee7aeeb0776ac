"""What is wrong with a network: rules over structure, weights, behaviour and training."""

from foveal.lint import calling as calling
from foveal.lint.context import LintContext
from foveal.lint.engine import lint
from foveal.lint.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
)
from foveal.lint.fixes import FIXES, Fix, fix
from foveal.lint.registry import RULES
from foveal.lint.report import LintReport
from foveal.lint.rule import Rule

__all__ = [
    "FIXES",
    "RULES",
    "CannotTellError",
    "Checked",
    "Finding",
    "Fix",
    "LintContext",
    "LintReport",
    "NotApplicable",
    "Outcome",
    "Rule",
    "Severity",
    "Undetermined",
    "fix",
    "lint",
]
