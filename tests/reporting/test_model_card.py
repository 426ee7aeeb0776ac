from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from foveal.evaluation.evidence import Interval
from foveal.evaluation.metrics import HEADLINE_METRICS, HeadlineMetric
from foveal.reporting import ReportInput, render_html, render_model_card, render_text
from foveal.reporting.model_card import escape_markdown, hub_metadata
from foveal.text import printable

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b",
    "[click](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "line\n---\nlicense: mit",
    "\u202eevil",
    "`code` *bold* _it_ ~~x~~ $y$ #1 @who",
    "- item",
    "1. one",
    "= heading",
)


def parts(card: str) -> tuple[dict[str, object], str]:
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_metadata_is_what_the_hub_expects(report: ReportInput) -> None:
    metadata, _ = parts(render_model_card(report))
    assert metadata["library_name"] == "timm"
    assert metadata["pipeline_tag"] == "image-classification"
    (entry,) = metadata["model-index"]  # type: ignore[misc]
    (result,) = entry["results"]
    assert result["task"]["type"] == "image-classification"
    values = {item["type"]: item["value"] for item in result["metrics"]}
    metrics = report.evidence.metrics
    assert values["accuracy"] == pytest.approx(metrics.accuracy.estimate, abs=5e-5)
    assert values["f1"] == pytest.approx(metrics.macro_f1.estimate, abs=5e-5)
    assert values["roc_auc"] == pytest.approx(metrics.auroc.estimate, abs=5e-5)


def test_the_card_shows_the_interval_and_how_to_load_the_run(cells: ReportInput) -> None:
    card = render_model_card(cells, run_name="runs/cells")
    assert "Accuracy 78.8% (95% interval 75.2 to 82.4%)" in card
    assert 'foveal.load("runs/cells")' in card
    assert 'timm.create_model("local-dir:runs/cells"' in card
    assert 'InferenceSession("runs/cells/model.onnx")' in card
    for heading in ("Intended use", "Data", "Evidence", "How to load it", "Limits"):
        assert f"\n## {heading}\n" in card


def test_only_files_that_are_there_are_explained(cells: ReportInput) -> None:
    card = render_model_card(cells, file_names=("model.safetensors",))
    assert "onnxruntime.InferenceSession" not in card


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(renamed: Callable[..., ReportInput], name: str) -> None:
    card = render_model_card(renamed("ok", name, title=name), run_name=name)
    metadata, body = parts(card)
    assert metadata["model-index"][0]["name"] == printable(name)  # type: ignore[index]
    assert "license" not in metadata
    prose = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    assert re.findall(r"<[a-zA-Z/!]", body) == []
    assert re.findall(r"(?<!\\)\]\(|https?:", prose) == []


def test_a_pipe_in_a_name_adds_no_column(renamed: Callable[..., ReportInput]) -> None:
    card = render_model_card(renamed("a | b", "c"))
    rows = [line for line in card.splitlines() if line.startswith("| a ")]
    assert len(rows) == 2
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 5]


def test_the_run_name_cannot_leave_its_string(cells: ReportInput) -> None:
    card = render_model_card(cells, run_name='x")\nimport os #```')
    assert "import os #" not in card
    assert 'foveal.load("x' in card
    assert card.count("```") == 6


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("- x", "\\- x"),
        ("12. x", "12\\. x"),
        ("2026-11-22", "2026-11-22"),
        ("0.1.0", "0\\.1.0"),
        ("a_b", "a\\_b"),
        ("https://x.org", "https&#58;//x.org"),
        ("me@x.org", "me&#64;x.org"),
    ],
)
def test_markdown_is_escaped_where_it_would_act(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


@given(title=st.text(st.characters(codec=None), min_size=1))
def test_any_title_comes_back_from_the_metadata(report: ReportInput, title: str) -> None:
    metadata = hub_metadata(title, report.evidence.metrics, None).to_yaml()
    assert yaml.safe_load(metadata)["model-index"][0]["name"] == printable(title)


@pytest.mark.parametrize("title", ["yes", "1.0", "null", "a: b", "- x", "!tag", "&x", "# no", "…"])
def test_a_title_that_yaml_would_take_for_something_else_stays_text(
    report: ReportInput, title: str
) -> None:
    metadata = hub_metadata(title, report.evidence.metrics, None).to_yaml()
    assert yaml.safe_load(metadata)["model-index"][0]["name"] == title


def test_a_metric_that_is_undefined_is_left_out_of_the_metadata(report: ReportInput) -> None:
    undefined = replace(report.evidence.metrics, auroc=Interval(None, None, None))
    (result,) = yaml.safe_load(hub_metadata("x", undefined, None).to_yaml())["model-index"][0][
        "results"
    ]
    assert [one["type"] for one in result["metrics"]] == ["accuracy", "balanced_accuracy", "f1"]


@pytest.mark.parametrize("metric", HEADLINE_METRICS, ids=lambda metric: metric.key)
def test_every_headline_metric_is_in_every_place_that_tells_them(
    report: ReportInput, metric: HeadlineMetric
) -> None:
    metadata, body = parts(render_model_card(report))
    kinds = [one["type"] for one in metadata["model-index"][0]["results"][0]["metrics"]]  # type: ignore[index]
    assert metric.hub_type in kinds
    assert f"| {metric.label} |" in body
    assert metric.label in render_html(report)
    assert metric.label in render_text(report.evidence)
