"""One table of sections feeds the page, the terminal and the model card."""

from __future__ import annotations

import pytest

from foveal.reporting import (
    ReportInput,
    model_card,
    page,
    render_html,
    render_model_card,
    render_text,
    text_summary,
)
from foveal.reporting.section import Section
from foveal.reporting.sections import SECTIONS


def test_no_two_sections_share_an_anchor() -> None:
    assert len({one.anchor for one in SECTIONS}) == len(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.anchor)
def test_a_section_that_applies_is_on_the_page_and_in_its_contents(
    report: ReportInput, section: Section
) -> None:
    html = render_html(report)
    shown = bool(section.absent) or section.view(report) is not None
    heading = f'<section id="{section.anchor}" aria-labelledby="h-{section.anchor}">'
    assert html.count(heading) == shown
    assert html.count(f'<a href="#{section.anchor}">{section.contents}</a>') == shown


def test_a_row_is_all_that_a_section_needs(
    report: ReportInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Section(
        anchor="weather",
        contents="Weather",
        heading="How was the weather?",
        view=lambda report: report.title,
        html="<p>{{ view }} in the rain</p>\n",
        text=lambda evidence: "It rained.",
        card=lambda report: ("It rained on the card.",),
    )
    for module in (page, text_summary, model_card):
        monkeypatch.setattr(module, "SECTIONS", (*SECTIONS, row))
    html = render_html(report)
    assert "How was the weather?" in html
    assert "in the rain</p>" in html
    assert "Weather            It rained." in render_text(report.evidence)
    assert "- It rained on the card." in render_model_card(report)


def test_what_was_not_measured_says_so_below_its_heading(
    report: ReportInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Section("x", "X", "X?", lambda report: None, "never", absent="Not <measured>.")
    monkeypatch.setattr(page, "SECTIONS", (*SECTIONS, row))
    html = render_html(report)
    assert '<p class="absent">Not &lt;measured&gt;.</p>' in html
    assert "never\n" not in html


def test_what_does_not_apply_is_left_out(
    report: ReportInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Section("x", "X", "Does it apply?", lambda report: None, "never")
    monkeypatch.setattr(page, "SECTIONS", (*SECTIONS, row))
    assert "Does it apply?" not in render_html(report)
