"""Operating points, decision curves, sample sizes and the flow of files, as they are shown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from foveal.errors import SchemaError
from foveal.evaluation import Evidence, Interval
from foveal.evaluation.curves import Curve
from foveal.evaluation.flow import Flow
from foveal.evaluation.operating_point import OperatingPoint
from foveal.reporting import ReportInput, render_html, render_model_card, render_text
from foveal.reporting.sections.flow import flow_steps
from foveal.reporting.sections.operating import draw_curve, operating_section
from foveal.reporting.text_predictions import render_predictions_text
from foveal.runs.classifier import Prediction


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_the_point_is_in_sight_and_the_curves_are_folded(report: ReportInput) -> None:
    shown = section(render_html(report), "operating")
    in_sight = shown.partition("<details>")[0]
    assert "The label is" in in_sight
    assert "at the operating point" in in_sight
    assert "<polyline" not in in_sight
    assert "<polyline" in shown


def test_ppv_at_the_prevalence_that_was_named_is_shown_beside_the_own(report: ReportInput) -> None:
    shown = section(render_html(report), "operating")
    assert "PPV at a prevalence of 2.0%" in shown
    assert "if sensitivity and specificity are the same there" in shown


def test_a_name_that_is_markup_is_escaped(report: ReportInput) -> None:
    page = render_html(report)
    for anchor in ("operating", "decisions", "sample-sizes", "flow"):
        shown = section(page, anchor)
        assert "<script" not in shown
        assert "<img" not in shown


def test_the_terminal_says_each_in_a_line(report: ReportInput) -> None:
    text = render_text(report.evidence)
    lines = text.splitlines()
    (first,) = [n for n, line in enumerate(lines) if line.startswith("Operating point")]
    assert "sensitivity" in " ".join(lines[first : first + 2])
    assert max(map(len, (line for line in lines if "/" not in line))) <= 80


def test_the_card_tells_the_point(report: ReportInput) -> None:
    card = render_model_card(report)
    assert "The label is" in card
    assert "PPV would be" in card


def test_without_an_operating_point_the_terminal_is_silent(report: ReportInput) -> None:
    operating = report.evidence.operating
    assert operating is not None
    bare = replace(report.evidence, operating=replace(operating, chosen=None))
    assert "Operating point" not in render_text(bare)
    shown = section(render_html(replace(report, evidence=bare)), "operating")
    assert "no operating point was asked for" in shown


def test_a_run_made_before_shows_what_is_there(report: ReportInput) -> None:
    older = replace(
        report.evidence, operating=None, decision_curves=None, sample_sizes=None, flow=None
    )
    page = render_html(replace(report, evidence=older))
    assert page.count("made before") == 4
    assert render_model_card(replace(report, evidence=older))
    assert render_text(older)


def test_a_point_that_was_not_judged_says_why(report: ReportInput) -> None:
    operating = report.evidence.operating
    assert operating is not None
    assert operating.chosen is not None
    chosen = replace(operating.chosen, rates=None, accuracy=None, at_prevalence=None, reason="Why.")
    view = operating_section(report.evidence, replace(operating, chosen=chosen))
    assert view.point is None
    assert view.sentence.endswith("Why.")


def test_a_place_without_an_interval_leaves_the_rest_of_the_band() -> None:
    curve = Curve((0.0, 0.5, 1.0), (0.2, 0.6, 1.0), (None, 0.4, 0.9), (None, 0.8, 1.0))
    drawn = draw_curve(curve, title="x", reference=((0, 0), (1, 1)), marks=())
    assert 'class="band a"' in drawn
    bare = replace(curve, low=(None,) * 3, high=(None,) * 3)
    assert "band" not in draw_curve(bare, title="x", reference=((0, 0), (1, 1)), marks=())


def test_every_image_is_accounted_for_in_the_flow(report: ReportInput) -> None:
    flow = report.evidence.flow
    assert flow is not None
    assert flow.num_files - sum(number for _, number in flow.set_aside) == flow.num_usable
    first, second, third = flow_steps(flow)
    assert first.leaving == "3 set aside: truncated 2, not an image 1"
    assert "usable image" in second.text
    assert "2 folds" in third.note


def test_a_split_says_what_was_trained_on_and_what_was_left_out() -> None:
    flow = Flow(10, (), 10, 10, 3, 6, 1, ())
    _, second, third = flow_steps(flow)
    assert second.leaving == "1 image not used: the split leaves them out"
    assert third.note == "after training on 6 other images"


def test_the_table_of_predictions_says_what_the_label_means() -> None:
    row = Prediction("a.png", "crack", 0.3, (0.3, 0.7), ("crack", "fine"), True, False, 1.0)
    point = OperatingPoint("crack", 0, 0.2, "sensitivity>=0.95 for crack")
    text = " ".join(render_predictions_text([row], point=point).split())
    assert "The label is 'crack' from a probability of 20% on" in text
    assert "The label is" not in render_predictions_text([row])


def test_intervals_of_one_figure_agree_between_tables(report: ReportInput) -> None:
    operating, sizes = report.evidence.operating, report.evidence.sample_sizes
    assert operating is not None
    assert sizes is not None
    shown = [one.sensitivity for one in sizes.classes]
    assert shown == [one.sensitivity for one in operating.rates]
    assert all(isinstance(one, Interval) for one in shown)


def test_a_decision_curve_names_its_class_and_its_line_where_nothing_is_folded(
    report: ReportInput,
) -> None:
    # On paper the summary of a folded part is not shown.
    shown = section(render_html(report), "decisions")
    names = re.findall(r"<h3>What acting is worth: <bdi>([^<]*)</bdi></h3>", shown)

    assert names == re.findall(r"<summary>Decision curve of <bdi>([^<]*)</bdi>", shown)
    assert len(names) >= 2
    assert shown.count("acting on its probability, with 95% band") == len(names)


def test_a_run_made_before_columns_were_counted_by_fold_is_read(report: ReportInput) -> None:
    content = report.evidence.to_json()
    for part in content["flow"]["parts"]:
        assert part.pop("characteristics") == []
    assert Evidence.from_json(content).flow == report.evidence.flow

    content["flow"]["parts"] = [3]
    with pytest.raises(SchemaError, match=r"flow\.parts\[0\]"):
        Evidence.from_json(content)
