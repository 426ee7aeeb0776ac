"""The findings as marks on the picture of a network, each with its rule's page."""

from __future__ import annotations

from foveal.errors import UsageError
from foveal.inspection.picture.marks import Mark
from foveal.linting.finding import LintReport
from foveal.linting.pages import rule_page
from foveal.linting.rules import RULES


def picture_marks(report: LintReport) -> tuple[Mark, ...]:
    """Returns one mark a finding, for ``foveal.inspection.picture``."""
    titles = {rule.code: rule.title for rule in RULES}
    return tuple(
        Mark(
            location=finding.location,
            code=finding.code,
            severity=finding.severity,
            title=titles.get(finding.code, ""),
            text=f"{finding.evidence} {finding.fix}",
            page=_page(finding.code),
        )
        for finding in report.findings
    )


def _page(code: str) -> str:
    try:
        return rule_page(code)
    except UsageError:  # a rule of somebody's own has none
        return ""
