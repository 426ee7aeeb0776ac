from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foveal.draw.text_layout import (
    COLUMNS,
    columns_table,
    display_width,
    shorten_end,
    shorten_middle,
    wrap,
)
from foveal.evaluation.evidence import Interval
from foveal.reporting import (
    ReportInput,
    Role,
    render_audit_text,
    render_evaluation_text,
    render_html,
    render_model_card,
    render_predictions_text,
    render_text,
)

AWKWARD = (
    "日本語の非常に長いクラスの名前です、はい" * 3,
    "x" * 200,
    "a\nb\x1b[31m",
    "\u202eevil",
    "👩‍🔬",
)


@dataclass(frozen=True)
class Row:
    """A prediction as the run gives it."""

    path: str
    label: str | None = None
    probability: float | None = None
    prediction_set: tuple[str, ...] = ()
    is_unsure: bool | None = None
    is_unlike_training: bool | None = None
    error: str | None = None


def widest(text: str) -> int:
    return max(display_width(line) for line in text.splitlines())


def test_every_text_fits_80_columns(report: ReportInput) -> None:
    for text in (
        render_text(report.evidence, report.audit, report_path="runs/cells/report.html"),
        render_evaluation_text(report.evidence, report.audit, run_name="runs/cells"),
        *(() if report.audit is None else (render_audit_text(report.audit),)),
    ):
        assert widest(text) <= COLUMNS


@pytest.mark.parametrize("name", AWKWARD, ids=range(len(AWKWARD)))
def test_awkward_class_names_keep_to_the_columns(
    renamed: Callable[..., ReportInput], name: str
) -> None:
    report = renamed("ok", name)
    assert report.audit is not None
    for text in (render_text(report.evidence, report.audit), render_audit_text(report.audit)):
        assert widest(text) <= COLUMNS
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_text_ends_with_the_headline_the_warnings_and_the_report(cells: ReportInput) -> None:
    text = render_text(
        cells.evidence, cells.audit, report_path="r/report.html", next_commands=("foveal x",)
    )
    last = text[text.index("\nAccuracy") :]
    assert last == (
        "\nAccuracy 78.8% (95% interval 75.2 to 82.4%) on images of unseen groups\n"
        "Better than always answering 'functional' (57.6%) by 18 to 25 points.\n\n"
        "ERROR  2 images stand under two labels. Decide on one label and delete the other\n"
        "  file.\n"
        "WARNING  3 files could not be used. Copy the truncated files again; remove what\n"
        "  is no image.\n"
        "NOTE  Class balance differs between folds by at most 2 images.\n\n"
        "Report  r/report.html\n"
        "Next    foveal x"
    )


def test_an_audit_without_groups_counts_none(cells: ReportInput) -> None:
    num_images = cells.audit["num_images"]
    text = render_audit_text({**cells.audit, "num_groups": num_images, "num_bad": 0})
    assert "group" not in text.splitlines()[0]


def test_without_groups_the_reader_is_told(welds: ReportInput) -> None:
    assert "NOTE  No groups were given." in render_text(welds.evidence)


def test_a_long_report_path_is_not_shortened(cells: ReportInput) -> None:
    path = "/data/" + "very-long-folder/" * 9 + "report.html"
    assert f"Report  {path}" in render_text(cells.evidence, report_path=path)


def test_the_evaluation_sets_the_old_figure_beside_the_new(cells: ReportInput) -> None:
    text = render_evaluation_text(
        cells.evidence, run_name="runs/a", trained_accuracy=Interval(0.9, 0.85, 0.93)
    )
    assert "In training        90.0% (95% interval 85.0 to 93.0%)" in text


def test_an_evaluation_refers_to_no_report_where_there_is_none(cells: ReportInput) -> None:
    audit = {**cells.audit, "findings": list(cells.audit["findings"]) * 3}
    text = render_evaluation_text(cells.evidence, audit)
    assert "more findings (foveal audit shows all)" in text
    assert "in the report" not in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "on images it had not seen"),
        ({"num_seen": 20}, "on {:,} unseen images; 20 of the {:,} had been seen"),
        ({"num_seen": 9, "measured_on": "seen"}, "on the very images it was trained on"),
    ],
)
def test_text_report_and_card_say_alike_whether_the_images_had_been_seen(
    cells: ReportInput, fields: dict[str, Any], words: str
) -> None:
    protocol = replace(cells.evidence.protocol, kind="hold-out", **fields)
    evidence = replace(cells.evidence, protocol=protocol)
    num_images = evidence.metrics.num_images
    said = words.format(num_images, num_images + 20)
    report = replace(cells, evidence=evidence)
    for text in (
        render_text(evidence),
        render_evaluation_text(evidence),
        render_html(report),
        render_model_card(report),
    ):
        assert said in " ".join(text.split())


def test_colour_changes_no_character(cells: ReportInput) -> None:
    def style(text: str, role: Role) -> str:
        return f"\x1b[1m{text}\x1b[0m"

    coloured = render_text(cells.evidence, cells.audit, report_path="r", style=style)
    assert "\x1b[1m" in coloured
    bare = coloured.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert bare == render_text(cells.evidence, cells.audit, report_path="r")


def test_the_audit_says_how_many_files_are_meant(cells: ReportInput) -> None:
    assert isinstance(cells.audit, dict)
    finding = {
        "severity": "warning", "title": "T", "paths": [f"{k}.png" for k in range(10)],
        "num_affected": 1234,
    }  # fmt: skip
    text = render_audit_text({**cells.audit, "findings": [finding]})
    assert "    4.png\n    and 1,229 more\n" in text
    assert text.endswith("0 errors, 1 warning.")


def test_sets_of_copies_are_not_counted_as_files(cells: ReportInput) -> None:
    assert isinstance(cells.audit, dict)
    finding = {"title": "3 sets", "paths": ["a = b", "c = d", "e = f"], "num_affected": 6}
    text = render_audit_text({**cells.audit, "findings": [finding]})
    assert "    e = f\n" in text
    assert " more" not in text


def test_a_clean_audit_says_so(cells: ReportInput) -> None:
    assert isinstance(cells.audit, dict)
    text = render_audit_text({**cells.audit, "findings": []})
    assert text.endswith("Nothing found that stands in the way of training.")


def test_predictions_show_sets_flags_and_errors() -> None:
    text = render_predictions_text(
        [
            Row("a.png", "good", 0.97, ("good",), False, False),
            Row("b.png", "bad", 0.51, ("bad", "good"), True, True),
            Row("c.png", error="truncated"),
            Row("d.png", "bad", 0.2, (), True, False),
        ]
    )
    assert text.splitlines()[:5] == [
        "image  label  prob.  set        flags",
        "a.png  good     97%",
        "b.png  bad      51%  bad, good  unsure unlike",
        "c.png  error: truncated",
        "d.png  bad      20%  (none)     unsure",
    ]
    assert "3 images, 1 file that could not be used." in text


def test_the_reason_of_an_error_is_never_cut() -> None:
    reason = "these DICOM pixels need a decoder for JPEG-LS (pip install python-gdcm)"
    text = render_predictions_text([Row("x" * 60, error=reason)])
    assert reason in " ".join(text.split())
    assert widest(text) <= COLUMNS


def test_long_paths_are_shortened_in_the_middle() -> None:
    path = "data/new/2026-11-22/module-0007/very/deep/below/cell0001.png"
    text = render_predictions_text([Row(path, "x" * 30, 0.5, ("a" * 30, "b" * 30), True, True)])
    line = text.splitlines()[1]
    assert line.startswith("data")
    assert "…" in line
    assert "cell0001.png" in line
    assert widest(text) <= COLUMNS


def test_every_label_of_a_set_is_written() -> None:
    few = tuple(f"class-{k}-of-a-long-name" for k in range(3))
    many = tuple(f"class-{k}-of-a-long-name" for k in range(40))
    for labels in (few, many):
        row = Row("photos/0001.png", labels[0], 0.5, labels, True, False)
        text = render_predictions_text([row, replace(row, prediction_set=labels[:1])])
        assert [name for name in labels[1:] if name not in text] == []
        assert widest(text) <= COLUMNS


def test_no_predictions_make_an_empty_table() -> None:
    assert "0 images." in render_predictions_text([])


@settings(max_examples=60, deadline=None)
@given(
    path=st.text(st.characters(codec=None), max_size=120),
    label=st.text(max_size=60),
    labels=st.lists(st.text(max_size=40), max_size=4),
    error=st.none() | st.text(max_size=200),
)
def test_any_prediction_fits_80_columns(
    path: str, label: str, labels: list[str], error: str | None
) -> None:
    row = Row(path, label, 0.5, tuple(labels), True, True, error)
    assert widest(render_predictions_text([row, replace(row, path="short")])) <= COLUMNS


@given(text=st.text(), columns=st.integers(1, 40))
def test_shortened_texts_fit(text: str, columns: int) -> None:
    assert display_width(shorten_middle(text, columns)) <= columns
    assert display_width(shorten_end(text, columns)) <= columns


@example(text="\U0001f3fb", columns=10)  # a modifier with nothing to modify
@example(text="\U0001f3fb" + "x" * 30, columns=10)
@given(text=st.text(), columns=st.integers(10, 80))
def test_wrapped_lines_fit_and_lose_no_character(text: str, columns: int) -> None:
    from foveal.text import printable

    wrapped = wrap(text, columns=columns, indent="    ")
    assert widest(wrapped or "x") <= columns
    assert "".join(wrapped.split()) == "".join(printable(text).split())


def test_columns_line_up_under_wide_characters() -> None:
    table = columns_table(("Class", "n"), [("日本", "1"), ("ab", "22")])
    assert table == "Class   n\n日本    1\nab     22"
