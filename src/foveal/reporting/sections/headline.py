"""The first screen: the number, its interval, and what a constant answer would score."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence, Interval
from foveal.evaluation.wording import describe_against_baseline, describe_judged
from foveal.reporting.figures import HeadlineRow, draw_headline_strip
from foveal.reporting.numbers import area, area_range, percent_range
from foveal.reporting.tables import Cell, Drawing, Table
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class Headline:
    """Texts and figure of the first screen. ``verdict`` starts with a small letter."""

    accuracy: str
    interval: str
    verdict: str
    protocol: str
    judged: str
    is_better: bool
    drawing: Drawing


def headline(evidence: Evidence) -> Headline:
    """Returns the first screen."""
    metrics, baseline = evidence.metrics, evidence.baseline
    rows = headline_rows(evidence)
    name = printable(baseline.class_name)
    low = baseline.gain.low
    return Headline(
        accuracy=percent(metrics.accuracy.estimate, digits=1),
        interval=spoken_range(metrics.accuracy),
        verdict=describe_against_baseline(metrics, baseline),
        protocol=evidence.protocol.sentence,
        judged=describe_judged(evidence),
        is_better=low is not None
        and round(low, 3) > 0.0
        and evidence.protocol.measured_on == "unseen",
        drawing=Drawing(
            svg=draw_headline_strip(rows, constant_name=name),
            caption="The dot is the estimate, the bar its 95% interval. Where a bar "
            "reaches the upright tick, the figure may be no better than a constant answer.",
            table=Table(
                "Headline figures",
                ("Figure", "Estimate", "95% interval", "Constant answer"),
                tuple(_table_row(row) for row in rows),
            ),
            legend=(("a", "measured"), ("tick", f"always answering “{name}”")),
        ),
    )


def headline_rows(evidence: Evidence) -> tuple[HeadlineRow, ...]:
    """Returns accuracy, balanced accuracy, macro F1 and AUROC with a constant answer's score.

    A constant answer is right about one class: its recall is 1, that of every other class 0,
    and its area under the curve is one half.
    """
    metrics, share = evidence.metrics, evidence.baseline.accuracy
    num_present = sum(item.num_images > 0 for item in metrics.per_class) or 1
    constant_f1 = 2 * share / (1 + share) / num_present
    rates = (
        ("Accuracy", metrics.accuracy, share),
        ("Balanced accuracy", metrics.balanced_accuracy, 1 / num_present),
        ("Macro F1", metrics.macro_f1, constant_f1),
    )
    return (
        *(
            HeadlineRow(
                name, rate, f"{percent(rate.estimate, digits=1)}  ({percent_range(rate)})", constant
            )
            for name, rate, constant in rates
        ),
        HeadlineRow(
            "AUROC",
            metrics.auroc,
            f"{area(metrics.auroc.estimate)}  ({area_range(metrics.auroc)})",
            0.5 if metrics.auroc.estimate is not None else None,
        ),
    )


def spoken_range(interval: Interval) -> str:
    """Returns the interval in words: ``"80.9% to 87.3%"``, or that there is none."""
    if interval.low is None or interval.high is None:
        return "no interval can be given"
    return f"{percent(interval.low, digits=1)} to {percent(interval.high, digits=1)}"


def _table_row(row: HeadlineRow) -> tuple[Cell | str, ...]:
    if row.name == "AUROC":
        estimate, ends = area(row.interval.estimate), area_range(row.interval)
        constant = area(row.constant)
    else:
        estimate, ends = percent(row.interval.estimate, digits=1), percent_range(row.interval)
        constant = percent(row.constant, digits=1)
    return (row.name, estimate, ends, constant)
