from __future__ import annotations

from dataclasses import replace

from foveal.reporting import ReportInput, render_html, render_model_card, render_text
from foveal.reporting.sections.subgroups import subgroups_section


def test_a_trait_that_differs_is_unfolded_and_the_others_are_folded(report: ReportInput) -> None:
    subgroups = report.evidence.subgroups
    assert subgroups is not None
    view = subgroups_section(subgroups, report.evidence.metrics.accuracy)
    assert [(one.name, one.verdict, one.is_open) for one in view.traits] == [
        ("site", "differs", True),
        ("brightness", "no difference shown", False),
        ("format", "not compared", False),
    ]


def test_small_parts_say_so_in_every_column(report: ReportInput) -> None:
    page = render_html(report)
    assert "n too small" in page
    assert "north &lt;b&gt;" in page
    assert "north <b>" not in page


def test_page_terminal_and_card_tell_the_same(report: ReportInput) -> None:
    sentence = "By site accuracy differs"
    assert sentence in render_html(report)
    assert sentence in " ".join(render_text(report.evidence).split())
    assert sentence in render_model_card(report)


def test_a_run_without_subgroups_says_how_to_have_them(report: ReportInput) -> None:
    bare = replace(report, evidence=replace(report.evidence, subgroups=None))
    assert "--subgroup" in render_html(bare)
    assert "Subgroups" not in render_text(bare.evidence)
