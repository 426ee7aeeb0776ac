"""The first screen: the number, its interval, and what a constant answer would score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, grid, words
from foveal.evaluation.evidence import Evidence, Interval
from foveal.evaluation.metrics import HEADLINE_METRICS, HeadlineMetric
from foveal.evaluation.wording import describe_against_baseline, describe_judged
from foveal.reporting.figures import Drawing, Table, interval_mark, track
from foveal.reporting.numbers import metric_range, metric_value
from foveal.text import printable

ROW_PX = 50.0
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """One figure of the strip; ``constant`` is what a constant answer would score."""

    metric: HeadlineMetric
    interval: Interval
    constant: float | None

    @property
    def text(self) -> str:
        """The estimate and the ends of its interval."""
        value = metric_value(self.metric, self.interval.estimate)
        return f"{value}  ({metric_range(self.metric, self.interval)})"


def draw_headline_strip(rows: Sequence[HeadlineRow], *, constant_name: str) -> str:
    """Returns the strip: dot and interval a row, the constant answer as a dashed tick."""
    scale = Scale(0.0, 1.0)
    bottom = ROW_PX * len(rows)
    parts = [grid(scale, TICKS, top=0, bottom=bottom)]
    for index, row in enumerate(rows):
        base = ROW_PX * index
        y = base + 33
        parts.append(words(row.metric.label, class_="row-name halo", x=0, y=base + 17))
        parts.append(
            words(row.text, class_="row-value halo", x="100%", y=base + 17, text_anchor="end")
        )
        parts.append(track(y=y))
        if row.constant is not None:
            x = scale.x(row.constant)
            parts.append(element("line", class_="constant", x1=x, x2=x, y1=y - 9, y2=y + 9))
        parts.append(interval_mark(row.interval, scale, y=y))
    description = "; ".join(f"{row.metric.label} {row.text}" for row in rows)
    return figure(
        parts,
        title="Headline figures with 95% intervals",
        description=f"{description}. The upright tick is what always answering "
        f"{constant_name} would score.",
        height_px=bottom + 24,
    )


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
                tuple(
                    (
                        row.metric.label,
                        metric_value(row.metric, row.interval.estimate),
                        metric_range(row.metric, row.interval),
                        metric_value(row.metric, row.constant),
                    )
                    for row in rows
                ),
            ),
            legend=(("a", "measured"), ("tick", f"always answering “{name}”")),
        ),
    )


def headline_rows(evidence: Evidence) -> tuple[HeadlineRow, ...]:
    """Returns every headline metric with a constant answer's score."""
    metrics, baseline = evidence.metrics, evidence.baseline
    return tuple(
        HeadlineRow(metric, metric.of(metrics), metric.constant(metrics, baseline))
        for metric in HEADLINE_METRICS
    )


def spoken_range(interval: Interval) -> str:
    """Returns the interval in words: ``"80.9% to 87.3%"``, or that there is none."""
    if interval.low is None or interval.high is None:
        return "no interval can be given"
    return f"{percent(interval.low, digits=1)} to {percent(interval.high, digits=1)}"
