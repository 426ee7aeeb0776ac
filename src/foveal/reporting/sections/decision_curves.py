"""For whom acting on a probability is worth more than acting on all images or on none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, words
from foveal.evaluation.decision_curve import DecisionCurve, describe_decision_curve
from foveal.evaluation.evidence import Evidence
from foveal.reporting.figures import Drawing, Table
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.reporting.sections.operating import band_of, line_of, stretched
from foveal.text import printable

PLOT_PX = 220.0
NUM_TICKS = 4


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One class: its sentence and figure."""

    name: str
    sentence: str
    drawing: Drawing


def draw_decision_curve(curve: DecisionCurve, *, title: str) -> str:
    """Returns the net benefit with its band, against acting on all (dashed) and on none."""
    top = 1.1 * max(curve.prevalence, *curve.net_benefit, 0.01)
    across, up = Scale(0.0, 1.0), Scale(-top / 4, top, PLOT_PX, 0.0)
    parts = []
    for tick in (0.0, top / 2.2, top / 1.1):
        y = up(tick)
        kind = "reference" if tick == 0.0 else "grid"
        parts.append(element("line", class_=kind, x1="0%", x2="100%", y1=y, y2=y))
        parts.append(words(f"{tick:.2g}", class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end"))
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        parts.append(
            words(
                percent(tick),
                class_="tick",
                x=across.x(tick),
                y=PLOT_PX + 16,
                text_anchor=anchor,
            )
        )
    positions = [across(one) for one in curve.thresholds]
    shapes = []
    lows = [one for one in curve.low if one is not None]
    highs = [one for one in curve.high if one is not None]
    if len(lows) == len(highs) == len(positions):
        shapes.append(
            band_of(
                [(x, up(y)) for x, y in zip(positions, highs, strict=True)],
                [(x, up(y)) for x, y in zip(positions, lows, strict=True)],
            )
        )
    shapes += _line(positions, curve.net_benefit, up, kind="path")
    shapes += _line([0.0, *positions], (curve.prevalence, *curve.treat_all), up, kind="path ahead")
    parts.append(stretched(shapes, height_px=PLOT_PX))
    shown = [k for k, t in enumerate(curve.thresholds) if round(100 * t) % 20 == 0]
    told = "; ".join(f"{percent(curve.thresholds[k])}: {curve.net_benefit[k]:.3f}" for k in shown)
    return figure(parts, title=title, description=f"{told}.", height_px=PLOT_PX + 24)


def _line(
    positions: Sequence[float], values: Sequence[float], up: Scale, *, kind: str
) -> list[str]:
    """Returns the pieces of a line that lie in the plot."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for position, value in zip(positions, values, strict=True):
        if up.low <= value <= up.high:
            pieces[-1].append((position, up(value)))
        elif pieces[-1]:
            pieces.append([])
    return [line_of(piece, kind=kind) for piece in pieces if len(piece) > 1]


def decision_views(curves: tuple[DecisionCurve, ...]) -> tuple[DecisionView, ...]:
    """Returns a figure and a sentence a class."""
    return tuple(_decision_view(curve) for curve in curves)


def _decision_view(curve: DecisionCurve) -> DecisionView:
    name = printable(curve.name)
    title = f"Decision curve of {name}"
    rows = []
    for k, threshold in enumerate(curve.thresholds):
        if round(100 * threshold) % 5 == 0:
            low, high = curve.low[k], curve.high[k]
            span = "no interval" if low is None or high is None else f"{low:.3f} to {high:.3f}"
            rows.append(
                (
                    percent(threshold),
                    f"{curve.net_benefit[k]:.3f}",
                    span,
                    f"{curve.treat_all[k]:.3f}",
                )
            )
    return DecisionView(
        name,
        describe_decision_curve(curve),
        Drawing(
            svg=draw_decision_curve(curve, title=title),
            caption="Net benefit in true positives an image (up) against the probability from "
            "which one acts (right). Who acts from 10% on accepts nine false alarms for one case.",
            table=Table(
                title, ("Acting from", "Net benefit", "95% interval", "Acting on all"), tuple(rows)
            ),
            gutter="tick",
            legend=(
                ("a-band", "acting on its probability, with 95% band"),
                ("b-line", "acting on all images"),
                ("line", "acting on none"),
            ),
        ),
    )


def _view(report: ReportInput) -> tuple[DecisionView, ...] | None:
    curves = report.evidence.decision_curves
    return None if curves is None else decision_views(curves)


def _card(report: ReportInput) -> tuple[str, ...]:
    evidence: Evidence = report.evidence
    chosen = None if evidence.operating is None else evidence.operating.chosen
    return tuple(
        describe_decision_curve(one)
        for one in evidence.decision_curves or ()
        if chosen is not None and one.name == chosen.class_name
    )


DECISIONS = Section(
    anchor="decisions",
    contents="Worth acting on",
    heading="Is it worth acting on its answers?",
    view=_view,
    absent="Not measured: this run was made before decision curves were.",
    card=_card,
    html="""\
{% if not view %}
<p>Every judged image is of one class, so there is nothing to decide.</p>
{% else %}
<ul class="plain">
{% for one in view %}
<li>{{ one.sentence }}</li>
{% endfor %}
</ul>
{% for one in view %}
<details><summary>Decision curve of <bdi>{{ one.name }}</bdi></summary>
<h3>What acting is worth: <bdi>{{ one.name }}</bdi></h3>
{{ m.drawing(one.drawing) }}
</details>
{% endfor %}
{% endif %}
<p class="aside">Net benefit (Vickers and Elkin 2006): true positives, less false positives at the exchange that the threshold stands for, as a share of all images. It says nothing of what acting costs otherwise.</p>
""",
)
