"""Accuracy against the number of training images, and where it seems to be heading."""

from __future__ import annotations

import math
from itertools import pairwise

from foveal.draw.numbers import percent, percent_span
from foveal.draw.svg import Scale, element, figure, nice_ticks, number, words
from foveal.evaluation.evidence import Baseline, Evidence, Interval, LearningCurve
from foveal.evaluation.wording import describe_learning_curve
from foveal.reporting.figures import Drawing, Table, Told
from foveal.reporting.numbers import count, percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section

PLOT_PX = 250.0


def draw_learning_curve(curve: LearningCurve, *, baseline: float) -> str:
    """Returns points with their spread on a logarithmic axis, and the extrapolated band."""
    ahead = _ahead(curve)
    sizes = [point.num_images for point in curve.points]
    heights = [v for p in curve.points for v in (p.low, p.high, p.accuracy)]
    if ahead is not None:
        sizes.append(ahead[0])
        heights += [v for v in (ahead[1].estimate, ahead[1].low, ahead[1].high) if v is not None]
    ticks = nice_ticks(min([*heights, baseline]) - 0.01, max([*heights, baseline]) + 0.01)
    up = Scale(ticks[0], ticks[-1], PLOT_PX, 0.0)
    low, high = math.log(max(1, min(sizes))), math.log(max(1, max(sizes)))
    margin = 0.06 * (high - low) or 1.0
    across = Scale(low - margin, high + margin)
    parts = [_frame(ticks, up, across, sizes)]
    parts.append(
        element("line", class_="reference", x1="0%", x2="100%", y1=up(baseline), y2=up(baseline))
    )
    parts.append(
        words(
            "constant answer", class_="tick halo", x="100%", y=up(baseline) - 6, text_anchor="end"
        )
    )
    if ahead is not None:
        parts.append(_band(curve, ahead, up, across))
    positions = [(across.x(math.log(max(1, p.num_images))), p) for p in curve.points]
    for (x1, a), (x2, b) in pairwise(positions):
        parts.append(
            element("line", class_="path", x1=x1, y1=up(a.accuracy), x2=x2, y2=up(b.accuracy))
        )
    for x, point in positions:
        parts.append(
            element("line", class_="interval a", x1=x, x2=x, y1=up(point.low), y2=up(point.high))
        )
        parts.append(element("circle", class_="mark a solid", cx=x, cy=up(point.accuracy), r=5))
    return figure(
        parts,
        title="Learning curve",
        description=_describe(curve),
        height_px=PLOT_PX + 24,
    )


def _ahead(curve: LearningCurve) -> tuple[int, Interval] | None:
    if curve.extrapolated_num_images is None or curve.extrapolation is None:
        return None
    if curve.extrapolation.estimate is None or not curve.points:
        return None
    return curve.extrapolated_num_images, curve.extrapolation


def _frame(ticks: tuple[float, ...], up: Scale, across: Scale, sizes: list[int]) -> str:
    parts = []
    for tick in ticks:
        y = up(tick)
        parts.append(element("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        parts.append(
            words(f"{100 * tick:.0f}%", class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end")
        )
    shown: list[float] = []
    for size in sorted(set(sizes), reverse=True):
        position = across(math.log(max(1, size)))
        # Counts closer than a tenth of the width would run into each other.
        if all(abs(position - other) >= 10 for other in shown):
            shown.append(position)
            parts.append(
                words(
                    count(size),
                    class_="tick",
                    x=f"{number(position)}%",
                    y=PLOT_PX + 18,
                    text_anchor="middle",
                )
            )
    return "".join(parts)


def _band(curve: LearningCurve, ahead: tuple[int, Interval], up: Scale, across: Scale) -> str:
    last = max(curve.points, key=lambda point: point.num_images)
    size, expected = ahead
    x1, x2 = across(math.log(last.num_images)), across(math.log(size))
    start, estimate = up(last.accuracy), expected.estimate or 0.0
    position = f"{number(x2)}%"
    parts = []
    if expected.low is not None and expected.high is not None:
        # Percentages cannot stand in a path, so the band lives in a stretched SVG of its own.
        points = " ".join(
            f"{number(x)},{number(y)}"
            for x, y in ((x1, start), (x2, up(expected.high)), (x2, up(expected.low)))
        )
        parts.append(
            element(
                "svg",
                element("polygon", class_="band", points=points),
                x=0,
                y=0,
                width="100%",
                height=PLOT_PX,
                viewBox=f"0 0 100 {number(PLOT_PX)}",
                preserveAspectRatio="none",
            )
        )
        parts.append(
            element(
                "line",
                class_="interval b",
                x1=position,
                x2=position,
                y1=up(expected.low),
                y2=up(expected.high),
            )
        )
    parts.append(
        element(
            "line",
            class_="path ahead",
            x1=f"{number(x1)}%",
            y1=start,
            x2=position,
            y2=up(estimate),
        )
    )
    parts.append(element("circle", class_="mark b-ring hollow", cx=position, cy=up(estimate), r=5))
    return "".join(parts)


def _describe(curve: LearningCurve) -> str:
    told = "; ".join(
        f"{count(p.num_images)} images {percent(p.accuracy, digits=1)}" for p in curve.points
    )
    ahead = _ahead(curve)
    if ahead is None:
        return f"{told}. No extrapolation."
    return f"{told}; expected with {count(ahead[0])} images {percent(ahead[1].estimate, digits=1)}."


def learning_curve_section(curve: LearningCurve, baseline: Baseline) -> Told:
    """Returns the curve with its extrapolation."""
    sentence = describe_learning_curve(curve)
    if not curve.points:
        return Told(sentence, None)
    rows = [
        (
            count(p.num_images),
            percent(p.accuracy, digits=1),
            percent_span(p.low, p.high, digits=1, joint="–"),
        )
        for p in curve.points
    ]
    legend = [("a", "measured, with the spread of repeats (central 80%)")]
    ahead = curve.extrapolation
    if ahead is not None and curve.extrapolated_num_images is not None:
        rows.append(
            (
                f"{count(curve.extrapolated_num_images)} (expected)",
                percent(ahead.estimate, digits=1),
                percent_range(ahead),
            )
        )
        legend.append(("b-ring", "expected, with its 95% interval"))
    return Told(
        sentence,
        Drawing(
            svg=draw_learning_curve(curve, baseline=baseline.accuracy),
            caption="Accuracy on held-out images against the number of training images (each step "
            "right multiplies them). The vertical axis does not start at zero.",
            table=Table("Learning curve", ("Training images", "Accuracy", "Range"), tuple(rows)),
            gutter="tick",
            legend=tuple(legend),
        ),
    )


def _view(report: ReportInput) -> Told | None:
    evidence = report.evidence
    if evidence.learning_curve is None:
        return None
    return learning_curve_section(evidence.learning_curve, evidence.baseline)


def _text(evidence: Evidence) -> str | None:
    curve = evidence.learning_curve
    return None if curve is None else describe_learning_curve(curve)


def _card(report: ReportInput) -> tuple[str, ...]:
    text = _text(report.evidence)
    return () if text is None else (text,)


LEARNING_CURVE = Section(
    anchor="curve",
    contents="More images",
    heading="Would more images help?",
    view=_view,
    absent="Not measured: a learning curve needs the training images, which an evaluation of new "
    "data has not, and for a fine-tuned network every point of it would be a training of its own.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
{% if view.drawing is not none %}
{{ m.drawing(view.drawing) }}
{% endif %}
""",
)
