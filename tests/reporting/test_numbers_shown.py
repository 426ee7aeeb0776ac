from __future__ import annotations

import re
from dataclasses import replace

import pytest

from foveal.evaluation.curves import MAX_CURVES
from foveal.evaluation.evidence import Interval
from foveal.reporting import ReportInput, render_html, render_model_card
from foveal.reporting.numbers import seconds
from foveal.reporting.sections.classes import classes_drawings, confusion_section
from foveal.reporting.sections.headline import headline, headline_rows
from foveal.reporting.sections.prediction_sets import sets_section
from foveal.reporting.sections.provenance import flatten


def test_the_class_table_holds_every_class_with_its_own_numbers(report: ReportInput) -> None:
    metrics = report.evidence.metrics
    rows = {row[0].text: row for row in classes_drawings(metrics)[0].table.cells()}
    assert len(rows) == len(metrics.per_class)
    for item in metrics.per_class:
        row = rows[item.name]
        assert row[1].text == f"{item.num_images:,}"
        assert row[2].text == f"{100 * (item.recall.estimate or 0):.1f}%"
        assert (
            row[2].note
            == f"{100 * (item.recall.low or 0):.1f}–{100 * (item.recall.high or 0):.1f}%"
        )
        assert row[3].text == f"{100 * (item.precision.estimate or 0):.1f}%"


def test_the_weakest_class_comes_first(report: ReportInput) -> None:
    rows = classes_drawings(report.evidence.metrics)[-1].table.cells()
    recalls = [float(row[2].text[:-1]) for row in rows]
    assert recalls == sorted(recalls)


def test_the_confusion_grid_holds_counts_and_row_shares(cells: ReportInput) -> None:
    metrics = cells.evidence.metrics
    grid = confusion_section(metrics).grid
    assert grid is not None
    shown = [[int(cell.count) for cell in row] for row in grid]
    assert shown == [list(row) for row in metrics.confusion]
    first = metrics.confusion[0]
    assert grid[0][1].share == f"{100 * first[1] / sum(first):.0f}%"
    assert [grid[k][k].is_diagonal for k in range(3)] == [True] * 3


def test_the_confusion_table_of_many_classes_holds_the_matrix(leaves: ReportInput) -> None:
    drawing = confusion_section(leaves.evidence.metrics).drawing
    assert drawing is not None
    shown = [
        [0 if cell.text == "·" else int(cell.text) for cell in row[1:-1]]
        for row in drawing.table.cells()
    ]
    assert shown == [list(row) for row in leaves.evidence.metrics.confusion]


def test_the_commonest_mix_up_is_the_largest_count_off_the_diagonal(leaves: ReportInput) -> None:
    confusion = leaves.evidence.metrics.confusion
    largest = max(v for i, row in enumerate(confusion) for j, v in enumerate(row) if i != j)
    first = confusion_section(leaves.evidence.metrics).commonest[0]
    assert re.search(rf": {largest} of ", first)


def test_a_constant_answer_scores_what_scikit_learn_says(cells: ReportInput) -> None:
    import numpy as np
    from sklearn.metrics import balanced_accuracy_score, f1_score

    counts = [sum(row) for row in cells.evidence.metrics.confusion]
    truth = np.repeat(np.arange(3), counts)
    answer = np.full_like(truth, int(np.argmax(counts)))
    rows = {row.metric.label: row.constant for row in headline_rows(cells.evidence)}
    assert rows["Accuracy"] == pytest.approx((truth == answer).mean())
    assert rows["Balanced accuracy"] == pytest.approx(balanced_accuracy_score(truth, answer))
    assert rows["Macro F1"] == pytest.approx(
        f1_score(truth, answer, average="macro", zero_division=0)
    )
    assert rows["AUROC"] == 0.5


def test_the_verdict_is_marked_good_only_above_the_baseline(report: ReportInput) -> None:
    gain = report.evidence.baseline.gain.low
    assert gain is not None
    assert headline(report.evidence).is_better == (gain > 0)


def test_set_sizes_add_up_to_all_images(leaves: ReportInput) -> None:
    sets = leaves.evidence.prediction_sets
    assert sets is not None
    rows = sets_section(leaves.evidence, sets).sizes.table.cells()
    assert sum(int(row[1].text.replace(",", "")) for row in rows) == 3339


def test_long_sets_are_counted_together(leaves: ReportInput) -> None:
    sets = leaves.evidence.prediction_sets
    assert sets is not None
    wide = replace(sets, size_counts=(0, *[10] * 30))
    rows = sets_section(leaves.evidence, wide).sizes.table.cells()
    assert [row[0].text for row in rows][-1] == "16–31 labels"
    assert rows[-1][1].text == str(10 * 15)


def test_settings_in_settings_are_flattened() -> None:
    assert flatten({"a": {"b": {"c": None}}, "d": (1, 2)}) == (("a.b.c", "null"), ("d", "1, 2"))


def test_the_page_names_every_package_and_backend(cells: ReportInput) -> None:
    text = render_html(cells)
    assert cells.provenance is not None
    for word in (*cells.provenance.versions, *(row.name for row in cells.provenance.probe)):
        assert word in text


@pytest.mark.parametrize(
    ("value", "text"), [(59.94, "59.9 s"), (59.96, "1 min 0 s"), (3599.6, "1 h 0 min")]
)
def test_durations_change_unit_where_they_should(value: float, text: str) -> None:
    assert seconds(value) == text


def test_few_groups_are_a_limit_that_is_named(cells: ReportInput) -> None:
    few = replace(
        cells.evidence,
        metrics=replace(cells.evidence.metrics, num_groups=7, accuracy=Interval(0.8, 0.7, 0.9)),
    )
    assert "Only 7 independent groups" in render_html(replace(cells, evidence=few))


@pytest.fixture
def many(leaves: ReportInput) -> ReportInput:
    """A report on 404 classes of ten images, recalls rising from 0 to 1."""
    number = 404
    evidence, first = leaves.evidence, leaves.evidence.metrics.per_class[0]
    sets = evidence.prediction_sets
    assert sets is not None
    per_class = tuple(
        replace(first, name=f"sort {k}", num_images=10, recall=Interval(k / 403, None, None))
        for k in range(number)
    )
    confusion = tuple(tuple(10 * (i == j) for j in range(number)) for i in range(number))
    data = replace(
        evidence.data,
        class_names=tuple(one.name for one in per_class),
        class_counts=(10,) * number,
        num_classes=number,
    )
    metrics = replace(evidence.metrics, per_class=per_class, confusion=confusion)
    wide = replace(
        sets,
        class_coverage=(Interval(0.2, 0.1, 0.3),) * number,
        size_counts=(0,) * 200 + (4040,) + (0,) * 204,
        mean_size=200.0,
    )
    operating, sizes, flow = evidence.operating, evidence.sample_sizes, evidence.flow
    assert operating is not None
    assert sizes is not None
    assert flow is not None
    curves = tuple(
        replace(one, name=f"sort {k}") for k, one in enumerate(operating.curves[:MAX_CURVES])
    )
    evidence = replace(
        evidence,
        data=data,
        metrics=metrics,
        prediction_sets=wide,
        operating=replace(operating, rates=operating.rates[:1] * number, curves=curves),
        sample_sizes=replace(sizes, classes=sizes.classes[:1] * number),
        flow=replace(
            flow,
            parts=tuple(replace(one, class_counts=(5,) * number) for one in flow.parts),
        ),
    )
    return replace(leaves, evidence=evidence, examples={})


def test_of_many_classes_the_spread_and_the_weakest_are_drawn(many: ReportInput) -> None:
    spread, weakest = classes_drawings(many.evidence.metrics)
    assert sum(int(row[1].text) for row in spread.table.cells()) == 404
    assert {f"sort {k}" in weakest.svg for k in range(12)} == {True}
    assert "sort 12" not in weakest.svg
    assert len(weakest.table.rows) == 404


def test_the_page_of_many_classes_is_a_few_screens(many: ReportInput) -> None:
    drawn = re.findall(r"<svg[^>]*height=\"([\d.]+)", render_html(many))
    assert max(map(float, drawn)) < 600


def test_lists_that_help_nobody_are_called_so(many: ReportInput) -> None:
    sets = many.evidence.prediction_sets
    assert sets is not None
    text = sets_section(many.evidence, sets).sentence
    assert "Lists of 200 labels help nobody to decide" in text
    assert "and 398 more classes" in text


def test_the_card_of_many_classes_names_the_weakest(many: ReportInput) -> None:
    card = render_model_card(many)
    assert "The 12 classes of lowest recall" in card
    assert "| sort 0 |" in card
    assert "sort 400" not in card
