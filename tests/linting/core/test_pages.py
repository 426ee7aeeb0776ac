"""Every page in docs/rules belongs to a rule, and its examples do what their heading says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from foveal.errors import UsageError
from foveal.linting import RULES, LintReport, render_page_text
from foveal.linting.pages import rule_page
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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_fits_a_terminal_of_80_columns(rule: Rule) -> None:
    shown = render_page_text(rule_page(rule.code))
    assert [line for line in shown.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("S10", "S10 begins 9 of them, S101 to S109: give one."),
        ("s", "S begins "),
        ("101", "Did you mean S101"),
        ("S10l", "Did you mean S10"),
        ("S301", "Did you mean S"),
        ("bias-before-norm", "Did you mean S101"),
        ("Z", "Codes go from B301 to "),
    ],
)
def test_a_code_that_is_none_is_answered_with_near_ones(wanted: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        rule_page(wanted)
    assert sentence in str(error.value)
