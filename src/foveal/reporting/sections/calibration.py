"""Calibration: whether the probabilities can be taken at their word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent, percent_span
from foveal.draw.svg import Scale, element, figure, words
from foveal.evaluation.evidence import Calibration, Evidence, ReliabilityBin
from foveal.evaluation.wording import describe_calibration
from foveal.reporting.figures import Drawing, Table
from foveal.reporting.numbers import count, percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section

PLOT_PX = 220.0
COUNTS_PX = 46.0
GAP = 0.006
TICKS = (0.0, 0.5, 1.0)


def density(item: ReliabilityBin) -> float:
    """Returns images for each unit of confidence: bins differ in width, so heights must too."""
    return item.num_images / (item.high - item.low) if item.high > item.low else 0.0


def draw_reliability(bins: Sequence[ReliabilityBin], *, title: str, largest_density: float) -> str:
    """Returns dots with intervals around the diagonal, and where the images lie underneath.

    Args:
        bins: Bins of the top probability; empty ones are left out.
        title: Name of the figure.
        largest_density: Images for each unit of confidence that a bar of full height stands
            for, the same for figures that are compared. The area of a bar counts its images.
    """
    across = Scale(0.0, 1.0)
    up = Scale(0.0, 1.0, PLOT_PX, 0.0)
    base = PLOT_PX + 14 + COUNTS_PX
    parts = []
    for tick in TICKS:
        y = up(tick)
        x = across.x(tick)
        parts.append(element("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        parts.append(element("line", class_="grid", x1=x, x2=x, y1=0, y2=PLOT_PX))
        label = f"{100 * tick:.0f}%"
        parts.append(words(label, class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end"))
        anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        parts.append(words(label, class_="tick", x=x, y=base + 16, text_anchor=anchor))
    parts.append(element("line", class_="reference", x1="0%", y1=up(0.0), x2="100%", y2=up(1.0)))
    for item in bins:
        if item.num_images == 0:
            continue
        parts.append(_bin(item, across=across, up=up))
        tall = COUNTS_PX * density(item) / largest_density if largest_density else 0.0
        parts.append(
            element(
                "rect",
                class_="bar quiet",
                x=across.x(item.low + GAP / 2),
                width=across.x(max(0.0, item.high - item.low - GAP)),
                y=base - tall,
                height=tall,
            )
        )
    parts.append(element("line", class_="axis", x1="0%", x2="100%", y1=base, y2=base))
    return figure(parts, title=title, description=_describe(bins), height_px=base + 20)


def _bin(item: ReliabilityBin, *, across: Scale, up: Scale) -> str:
    x = across.x(item.mean_confidence)
    accuracy = item.accuracy
    if accuracy.estimate is None:
        return ""
    bar, kind = "", "hollow"
    if accuracy.low is not None and accuracy.high is not None:
        kind = "solid"
        bar = element(
            "line", class_="interval a slim", x1=x, x2=x, y1=up(accuracy.low), y2=up(accuracy.high)
        )
    return bar + element("circle", class_=f"mark a {kind}", cx=x, cy=up(accuracy.estimate), r=4)


def _describe(bins: Sequence[ReliabilityBin]) -> str:
    told = [
        f"{item.num_images} images at {percent(item.mean_confidence)} were right in "
        f"{percent(item.accuracy.estimate)}"
        for item in bins
        if item.num_images and item.accuracy.estimate is not None
    ]
    return "; ".join(told) + "." if told else "No bin has images."


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """Sentences, the diagrams and the summary figures of calibration.

    ``after`` is None where nothing was scaled, so that there is but one diagram.
    """

    sentence: str
    before: Drawing
    after: Drawing | None
    summary: Table


def calibration_section(calibration: Calibration) -> CalibrationView:
    """Returns the diagrams before and after temperature scaling, drawn to one scale."""
    bins = (*calibration.reliability_before, *calibration.reliability_after)
    largest = max((density(item) for item in bins), default=0.0)
    return CalibrationView(
        sentence=describe_calibration(calibration),
        before=_reliability("Before", calibration.reliability_before, largest),
        after=None
        if calibration.temperature == 1.0
        else _reliability("After", calibration.reliability_after, largest),
        summary=Table(
            "Calibration in figures",
            ("", "Before", "After"),
            (
                (
                    "Expected calibration error",
                    percent(calibration.ece_before, digits=1),
                    percent(calibration.ece_after, digits=1),
                ),
                (
                    "Log loss (nats)",
                    f"{calibration.log_loss_before:.3f}",
                    f"{calibration.log_loss_after:.3f}",
                ),
                ("Temperature", "1", f"{calibration.temperature:.2f}"),
            ),
        ),
    )


def _reliability(title: str, bins: tuple[ReliabilityBin, ...], largest: float) -> Drawing:
    return Drawing(
        svg=draw_reliability(bins, title=f"Reliability {title.lower()}", largest_density=largest),
        caption=f"{title} temperature scaling",
        table=Table(
            f"Reliability {title.lower()} temperature scaling",
            ("Confidence", "Images", "Mean confidence", "Right", "95% interval"),
            tuple(
                (
                    percent_span(item.low, item.high, joint="–"),
                    count(item.num_images),
                    percent(item.mean_confidence, digits=1),
                    percent(item.accuracy.estimate, digits=1),
                    percent_range(item.accuracy),
                )
                for item in bins
                if item.num_images
            ),
        ),
        gutter="tick",
    )


def _view(report: ReportInput) -> CalibrationView | None:
    calibration = report.evidence.calibration
    return None if calibration is None else calibration_section(calibration)


def _text(evidence: Evidence) -> str | None:
    return None if evidence.calibration is None else describe_calibration(evidence.calibration)


def _card(report: ReportInput) -> tuple[str, ...]:
    text = _text(report.evidence)
    return () if text is None else (text,)


CALIBRATION = Section(
    anchor="calibration",
    contents="Calibration",
    heading="Can its probabilities be believed?",
    view=_view,
    absent="Not measured: calibration needs held-out predictions that temperature scaling can be fitted on, and this evaluation has none.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
<div class="pair">
<div>{% if view.after %}<h3>Before</h3>{% endif %}{{ m.drawing(view.before) }}</div>
{% if view.after %}
<div><h3>After</h3>{{ m.drawing(view.after) }}</div>
{% endif %}
</div>
<p class="aside">Across: how sure the model said it was. Up: how often it was right, with 95% intervals. On the dashed diagonal both agree; below it, the model is too sure. Underneath: where the images lie; the area of a bar counts them.</p>
{{ m.table(view.summary) }}
<p class="aside">Temperature scaling (Guo et al. 2017) divides the logits by one number. The figures “after” use temperatures fitted without the images they are measured on.</p>
""",
)
