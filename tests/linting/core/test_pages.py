"""Every page in docs/rules belongs to a rule, and its examples do what their heading says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from foveal.linting import RULES, LintReport
from foveal.linting.rules import Rule

PAGES = Path(__file__).parents[3] / "docs" / "rules"


def run_example(rule: Rule, heading: str) -> LintReport:
    text = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}\n\n```python\n(.*?)^```", text, re.S | re.M)
    assert section is not None, f"{rule.code} has no example under {heading!r}"
    names: dict[str, Any] = {}
    exec(section.group(1), names)
    report = names["report"]
    assert isinstance(report, LintReport)
    return report


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_first_example_fires(rule: Rule) -> None:
    report = run_example(rule, "Fires")
    assert {finding.code for finding in report.findings} == {rule.code}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_second_example_stays_silent_for_a_reason_it_can_name(rule: Rule) -> None:
    report = run_example(rule, "Stays silent")
    assert report.findings == ()
    assert report.undetermined == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_page_is_titled_as_the_rule(rule: Rule) -> None:
    first_line = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8").partition("\n")[0]
    assert first_line == f"# {rule.code}: {rule.title}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_gravest_finding_is_no_graver_than_the_rule(rule: Rule) -> None:
    grades = ("error", "warning", "info")
    worst = min(grades.index(f.severity) for f in run_example(rule, "Fires").findings)
    assert worst >= grades.index(rule.severity)
