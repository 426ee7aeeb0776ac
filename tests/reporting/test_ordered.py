from __future__ import annotations

from dataclasses import replace

import numpy as np

from foveal.evaluation import measure_ordered
from foveal.reporting import ReportInput, render_html, render_text
from foveal.reporting.sections.ordered import ordered_section


def ordered(report: ReportInput) -> ReportInput:
    """The report with answers that fit its confusion, and its classes in another order."""
    evidence = report.evidence
    pairs = [
        (i, j)
        for i, row in enumerate(evidence.metrics.confusion)
        for j, number in enumerate(row)
        for _ in range(number)
    ]
    labels, predictions = np.array(pairs).T
    found = measure_ordered(
        predictions,
        labels,
        np.arange(len(labels)),
        class_names=evidence.data.class_names,
        order=("functional", "uncertain", "defective"),
        origin="given",
    )
    return replace(report, evidence=replace(evidence, ordered=found))


def test_the_confusion_stands_in_the_order_of_the_classes(cells: ReportInput) -> None:
    evidence = ordered(cells).evidence
    assert evidence.ordered is not None
    table = ordered_section(evidence.ordered, evidence.metrics).confusion
    assert table is not None
    assert table.header[1:4] == ("functional", "uncertain", "defective")
    row = evidence.metrics.confusion[1]  # of "functional": defective, functional, uncertain
    assert table.rows[0][1:4] == (str(row[1]), str(row[2]), str(row[0]))
    steps = (row[2] + 2 * row[0]) / sum(row)
    assert table.rows[0][4] == f"{steps:.2f}"


def test_page_and_terminal_tell_kappa(cells: ReportInput) -> None:
    report = ordered(cells)
    assert "Weighted kappa" in render_html(report)
    assert "Weighted kappa" in render_text(report.evidence)
    assert "How far off" in render_html(report)
    assert "How far off" not in render_html(cells), "classes without an order have no such section"
