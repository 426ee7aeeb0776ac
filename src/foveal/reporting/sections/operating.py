"""At which threshold: sensitivity, specificity, predictive values, and the curves behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, number, words
from foveal.evaluation.curves import ClassCurves, Curve
from foveal.evaluation.evidence import Evidence, Interval
from foveal.evaluation.operating_point import ChosenPoint, Operating
from foveal.evaluation.operating_wording import (
    describe_chosen,
    describe_elsewhere,
    summarise_chosen,
)
from foveal.evaluation.rates import Rates
from foveal.evaluation.wording import describe_interval
from foveal.reporting.figures import Cell, Drawing, Table, are_many
from foveal.reporting.numbers import area, area_range, count, percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import printable

PLOT_PX = 220.0
TICKS = (0.0, 0.5, 1.0)
# Below, each per cent has a row; above, every fifth. The page is printed unfolded.
_DENSE_BELOW = 0.045

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CurvesView:
    """The two curves of one class."""

    name: str
    roc: Drawing
    precision_recall: Drawing


@dataclass(frozen=True, slots=True)
class OperatingView:
    """Sentences, tables and curves of the section."""

    sentence: str
    further: tuple[str, ...]
    point: Table | None
    rates: Table
    folds_rates: bool
    curves: tuple[CurvesView, ...]
    num_left_out: int


def draw_curve(
    curve: Curve, *, title: str, reference: tuple[Point, Point], marks: Sequence[tuple[Point, str]]
) -> str:
    """Returns a curve as steps with its band, a dashed line to compare with, and marks on it.

    Args:
        curve: Shares at shares.
        title: Name of the figure.
        reference: The two ends of the dashed line.
        marks: Points and the marks' class, ``"solid"`` or ``"hollow"``.
    """
    across, up = Scale(0.0, 1.0), Scale(0.0, 1.0, PLOT_PX, 0.0)
    parts = []
    for tick in TICKS:
        y, x, label = up(tick), across.x(tick), percent(tick)
        parts.append(element("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        parts.append(element("line", class_="grid", x1=x, x2=x, y1=0, y2=PLOT_PX))
        parts.append(words(label, class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end"))
        anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        parts.append(words(label, class_="tick", x=x, y=PLOT_PX + 16, text_anchor=anchor))
    parts.append(stretched(_shapes(curve, across, up), height_px=PLOT_PX))
    (x1, y1), (x2, y2) = reference
    parts.append(
        element("line", class_="reference", x1=across.x(x1), y1=up(y1), x2=across.x(x2), y2=up(y2))
    )
    for (x_share, y_share), kind in marks:
        parts.append(
            element("circle", class_=f"mark a {kind}", cx=across.x(x_share), cy=up(y_share), r=5)
        )
    shown = [k for k, point in enumerate(curve.at) if round(100 * point) % 20 == 0]
    told = "; ".join(f"{percent(curve.at[k])}: {percent(curve.value[k])}" for k in shown)
    return figure(parts, title=title, description=f"{told}.", height_px=PLOT_PX + 24)


def stretched(shapes: Sequence[str], *, height_px: float) -> str:
    """Returns shapes whose x runs from 0 to 100, as wide as the figure.

    Percentages cannot stand in a path, so these shapes live in a stretched SVG of their own.
    """
    return element(
        "svg",
        *shapes,
        x=0,
        y=0,
        width="100%",
        height=height_px,
        viewBox=f"0 0 100 {number(height_px)}",
        preserveAspectRatio="none",
    )


def line_of(points: Sequence[Point], *, kind: str = "path") -> str:
    """Returns a line through points of a stretched SVG that keeps its width."""
    return element(
        "polyline",
        class_=f"{kind} drawn",
        points=" ".join(f"{number(x)},{number(y)}" for x, y in points),
        vector_effect="non-scaling-stroke",
    )


def band_of(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """Returns the area between two lines of a stretched SVG."""
    points = " ".join(f"{number(x)},{number(y)}" for x, y in (*upper, *reversed(lower)))
    return element("polygon", class_="band a", points=points)


def _shapes(curve: Curve, across: Scale, up: Scale) -> list[str]:
    def steps(points: Sequence[float], values: Sequence[float]) -> list[Point]:
        placed = [(across(x), up(y)) for x, y in zip(points, values, strict=True)]
        line = placed[:1]
        for (_, y1), (x2, y2) in pairwise(placed):
            line += [(x2, y1), (x2, y2)]
        return line

    known = [
        (at, low, high)
        for at, low, high in zip(curve.at, curve.low, curve.high, strict=True)
        if low is not None and high is not None
    ]
    shapes = []
    if known:
        # Where one group alone has answers, there is no interval: mostly at the very start.
        points, lows, highs = zip(*known, strict=True)
        shapes.append(band_of(steps(points, highs), steps(points, lows)))
    return [*shapes, line_of(steps(curve.at, curve.value))]


def _curve_drawing(
    curve: Curve,
    *,
    title: str,
    caption: str,
    header: tuple[str, str],
    reference: tuple[Point, Point],
    marks: Sequence[tuple[Point, str]],
    legend: tuple[tuple[str, str], ...],
) -> Drawing:
    rows = tuple(
        (percent(x), percent(y, digits=1), percent_range(Interval(y, low, high)))
        for x, y, low, high in zip(curve.at, curve.value, curve.low, curve.high, strict=True)
        if round(100 * x) % 5 == 0 or x < _DENSE_BELOW
    )
    return Drawing(
        svg=draw_curve(curve, title=title, reference=reference, marks=marks),
        caption=caption,
        table=Table(title, (*header, "95% interval"), rows),
        gutter="tick",
        legend=legend,
    )


def _place(rates: Rates) -> tuple[Point | None, Point | None]:
    """Returns where rates lie in ROC and precision-recall space."""
    sensitivity, specificity = rates.sensitivity.estimate, rates.specificity.estimate
    if sensitivity is None or specificity is None:
        return None, None
    ppv = rates.ppv.estimate
    roc = (1.0 - specificity, sensitivity)
    return roc, None if ppv is None else (sensitivity, ppv)


def _curves_view(one: ClassCurves, operating: Operating, own: Rates, total: int) -> CurvesView:
    chosen = operating.chosen
    drawn = [(_place(own), "hollow")]
    if chosen is not None and chosen.class_name == one.name and chosen.rates is not None:
        drawn.append((_place(chosen.rates), "solid"))
    roc_marks = [(point[0], kind) for point, kind in drawn if point[0] is not None]
    pr_marks = [(point[1], kind) for point, kind in drawn if point[1] is not None]
    share = one.num_images / total if total else 0.0
    name = printable(one.name)
    ring = ("a-ring", "the likeliest label")
    dot = (("a", "the operating point"),) if len(drawn) > 1 else ()
    return CurvesView(
        name=name,
        roc=_curve_drawing(
            one.roc,
            title=f"ROC curve of {name}",
            caption=f"Sensitivity (up) against the share of other images called so (right). Area "
            f"{area(one.auroc.estimate)} ({area_range(one.auroc)}).",
            header=("False-positive rate", "Sensitivity"),
            reference=((0.0, 0.0), (1.0, 1.0)),
            marks=roc_marks,
            legend=(*dot, ring, ("line", "chance")),
        ),
        precision_recall=_curve_drawing(
            one.precision_recall,
            title=f"Precision–recall curve of {name}",
            caption=f"PPV (up) against sensitivity (right). Average precision "
            f"{area(one.average_precision.estimate)} ({area_range(one.average_precision)}); chance "
            f"would give {share:.3f}, the share of these images.",
            header=("Sensitivity", "PPV"),
            reference=((0.0, share), (1.0, share)),
            marks=pr_marks,
            legend=(*dot, ring, ("line", "chance")),
        ),
    )


def _cell(interval: Interval) -> Cell:
    return Cell(percent(interval.estimate, digits=1), percent_range(interval))


def _point_table(chosen: ChosenPoint, rates: Rates) -> Table:
    rows: list[tuple[Cell | str, ...]] = [
        ("Sensitivity", _cell(rates.sensitivity), _of(rates.num_true_positives, rates, "present")),
        ("Specificity", _cell(rates.specificity), _of(rates.num_true_negatives, rates, "absent")),
        ("PPV", _cell(rates.ppv), _of(rates.num_true_positives, rates, "yes")),
        ("NPV", _cell(rates.npv), _of(rates.num_true_negatives, rates, "no")),
    ]
    if chosen.accuracy is not None:
        rows.append(("Accuracy of the labels", _cell(chosen.accuracy), ""))
    if (elsewhere := chosen.at_prevalence) is not None:
        share = percent(elsewhere.prevalence, digits=1)
        rows += [
            (f"PPV at a prevalence of {share}", _cell(elsewhere.ppv), "computed"),
            (f"NPV at a prevalence of {share}", _cell(elsewhere.npv), "computed"),
        ]
    return Table(
        f"“{printable(chosen.class_name)}” at the operating point",
        ("", "Figure", "Images"),
        tuple(rows),
    )


def _of(hits: int, rates: Rates, side: str) -> str:
    tp, fn = rates.num_true_positives, rates.num_false_negatives
    fp, tn = rates.num_false_positives, rates.num_true_negatives
    total = {"present": tp + fn, "absent": fp + tn, "yes": tp + fp, "no": fn + tn}[side]
    return f"{count(hits)} of {count(total)}"


def operating_section(evidence: Evidence, operating: Operating) -> OperatingView:
    """Returns the section."""
    names = [printable(name) for name in evidence.data.class_names]
    chosen = operating.chosen
    further = []
    if chosen is not None:
        if chosen.at_prevalence is not None:
            further.append(describe_elsewhere(chosen.at_prevalence, chosen.class_name))
        if chosen.accuracy is not None:
            further.append(
                "Of the labels given so, over all classes, "
                f"{describe_interval(chosen.accuracy)} are right. All other figures of this "
                "report are of the likeliest class."
            )
    by_name = dict(zip(names, operating.rates, strict=True))
    total = evidence.metrics.num_images
    return OperatingView(
        sentence=_sentence(operating),
        further=tuple(further),
        point=None
        if chosen is None or chosen.rates is None
        else _point_table(chosen, chosen.rates),
        rates=Table(
            "Each class against the rest, where the likeliest class is the label",
            ("Class", "Sensitivity", "Specificity", "PPV", "NPV"),
            tuple(
                (
                    name,
                    _cell(rates.sensitivity),
                    _cell(rates.specificity),
                    _cell(rates.ppv),
                    _cell(rates.npv),
                )
                for name, rates in by_name.items()
            ),
        ),
        folds_rates=chosen is not None or are_many(names),
        curves=tuple(
            _curves_view(one, operating, by_name[printable(one.name)], total)
            for one in operating.curves
        ),
        num_left_out=len(names) - len(operating.curves),
    )


def _sentence(operating: Operating) -> str:
    if operating.chosen is not None:
        return describe_chosen(operating.chosen)
    return "The label is the likeliest class: no operating point was asked for."


def _view(report: ReportInput) -> OperatingView | None:
    operating = report.evidence.operating
    return None if operating is None else operating_section(report.evidence, operating)


def _text(evidence: Evidence) -> str | None:
    operating = evidence.operating
    if operating is None or operating.chosen is None:
        return None
    # What cannot be done must be said where it was asked for; all else is in the report.
    chosen = operating.chosen
    return summarise_chosen(chosen) if chosen.point is not None else describe_chosen(chosen)


def _card(report: ReportInput) -> tuple[str, ...]:
    operating = report.evidence.operating
    if operating is None or operating.chosen is None:
        return ()
    elsewhere = operating.chosen.at_prevalence
    told = (
        () if elsewhere is None else (describe_elsewhere(elsewhere, operating.chosen.class_name),)
    )
    return (_sentence(operating), *told)


OPERATING = Section(
    anchor="operating",
    contents="Operating point",
    heading="At which threshold, with which sensitivity and specificity?",
    view=_view,
    absent="Not measured: this run was made before sensitivity, specificity and their curves were.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
{% for sentence in view.further %}
<p>{{ sentence }}</p>
{% endfor %}
{% if view.point is not none %}
{{ m.table(view.point) }}
{% endif %}
{% if view.folds_rates %}
<details><summary>Each class where the likeliest class is the label</summary>
{{ m.table(view.rates) }}
</details>
{% else %}
{{ m.table(view.rates) }}
{% endif %}
{% for one in view.curves %}
<details><summary>Curves of <bdi>{{ one.name }}</bdi></summary>
<h3>At every threshold: <bdi>{{ one.name }}</bdi></h3>
<div class="pair figures">
{{ m.drawing(one.roc) }}
{{ m.drawing(one.precision_recall) }}
</div>
</details>
{% endfor %}
<p class="aside">Bands are 95% intervals point by point, over groups. PPV and NPV hold where the class is as common as here.{% if view.num_left_out %} {{ view.num_left_out }} classes have no curve: the weakest are drawn, and those with images on both sides.{% endif %}</p>
""",
)
