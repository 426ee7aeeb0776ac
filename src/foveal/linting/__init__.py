"""What is wrong with a network: rules over structure, weights, behaviour and training."""

from foveal.linting.context import LintContext
from foveal.linting.engine import lint
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    LintReport,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    render_lint_text,
)
from foveal.linting.fixes import FIXES, Fix, fix
from foveal.linting.pages import render_page_text
from foveal.linting.rules import RULES, Rule

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
    "render_lint_text",
    "render_page_text",
]
