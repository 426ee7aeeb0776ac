"""Whether the answer survives when the image moves by a few pixels."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence, ShiftStability, Stability
from foveal.evaluation.stability import describe_stability
from foveal.reporting.figures import Cell, ClassRow, Drawing, Table, draw_class_intervals
from foveal.reporting.numbers import percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import count_noun

_BORDERS = {
    "reflect": "the strip that opens up at the edge is filled by mirroring the image",
    "wrap": "the strip that leaves at one edge enters at the other",
    "crop": "what enters at the edge is what the image shows there",
}


@dataclass(frozen=True, slots=True)
class StabilityView:
    """Sentences, the figure by shift, and how it was measured."""

    sentence: str
    how: str
    drawing: Drawing


def stability_section(stability: Stability) -> StabilityView:
    """Returns the share of answers kept and the change of probability, by shift."""
    return StabilityView(
        sentence=describe_stability(stability),
        how=_how(stability),
        drawing=Drawing(
            svg=draw_class_intervals(
                [ClassRow(_pixels(item), item.kept) for item in stability.shifts],
                title="Images that keep their answer, by how far they are moved",
                description="; ".join(
                    f"{_pixels(item)}: {percent(item.kept.estimate, digits=1)} "
                    f"({percent_range(item.kept)})"
                    for item in stability.shifts
                )
                + ".",
            ),
            caption="Images that keep their answer, by how far they are moved. The dot is the "
            "share in the sample, the bar its 95% interval for images like these.",
            table=Table(
                "Small shifts",
                ("Moved by", "Same answer", "Mean change of its probability"),
                tuple(
                    (
                        _pixels(item),
                        Cell(percent(item.kept.estimate, digits=1), percent_range(item.kept)),
                        Cell(_points(item.probability_change.estimate), _points_range(item)),
                    )
                    for item in stability.shifts
                ),
            ),
            gutter="name short",
        ),
    )


def _how(stability: Stability) -> str:
    height, width = stability.size_px
    each = (
        "each was moved right, down, left and up"
        if stability.directions == "four"
        else "each was moved in one of four directions"
    )
    sentence = (
        f"Measured with the finished classifier on {count_noun(stability.num_images, 'image')} "
        f"drawn at random; {each}, in pixels of the network’s input of {height}×{width}, and "
        f"{_BORDERS[stability.border]}."
    )
    if not stability.num_seen:
        return f"{sentence} It was trained on none of them."
    whose = (
        "these images"
        if stability.num_seen == stability.num_images
        else f"{stability.num_seen} of them"
    )
    return f"{sentence} It was trained on {whose}, so answers for new images may be less stable."


def _pixels(item: ShiftStability) -> str:
    return f"{item.shift_px} px"


def _points(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} points"


def _points_range(item: ShiftStability) -> str:
    low, high = item.probability_change.low, item.probability_change.high
    return "no interval" if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def _view(report: ReportInput) -> StabilityView | None:
    stability = report.evidence.stability
    return None if stability is None else stability_section(stability)


def _text(evidence: Evidence) -> str | None:
    return None if evidence.stability is None else describe_stability(evidence.stability)


STABILITY = Section(
    anchor="stability",
    contents="Small shifts",
    heading="How stable is the answer when the image moves by a few pixels?",
    view=_view,
    absent="Not measured: it takes the classifier itself and images to move, and this evaluation has only its answers.",
    text=_text,
    html="""\
<p class="lead">{{ view.sentence }}</p>
{{ m.drawing(view.drawing) }}
<p class="aside">{{ view.how }}</p>
<p class="aside">A network with strides reads a moved image on another grid, so its answer may change although nothing in the image did (Azulay and Weiss 2019; Zhang 2019).</p>
""",
)
