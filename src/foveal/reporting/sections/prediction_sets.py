"""Prediction sets: the labels that cannot be ruled out."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import name_gutter
from foveal.evaluation.evidence import Evidence, PredictionSets
from foveal.evaluation.wording import describe_prediction_sets
from foveal.reporting.figures import (
    NUM_WEAKEST,
    Binned,
    ClassRow,
    Drawing,
    Table,
    are_many,
    bin_counts,
    draw_class_intervals,
    spread_drawing,
)
from foveal.reporting.numbers import percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import printable

MAX_SET_SIZES = 8


@dataclass(frozen=True, slots=True)
class SetsView:
    """Sentences and figures of the prediction sets."""

    sentence: str
    how: str
    coverage: Drawing
    sizes: Drawing


def sets_section(evidence: Evidence, sets: PredictionSets) -> SetsView:
    """Returns coverage against its target, overall and by class, and how long the lists are."""
    names = tuple(printable(name) for name in evidence.data.class_names)
    target = 1.0 - sets.alpha
    by_class = list(zip(names, sets.class_coverage, strict=True))
    caption = (
        "How often the list held the true label. Bars that lie wholly left of the dashed line "
        "fall short of the target."
    )
    if are_many(names):
        by_class.sort(key=lambda row: 2.0 if row[1].estimate is None else row[1].estimate)
        caption += f" Of the classes, the {NUM_WEAKEST} with the lowest coverage are drawn."
    rows = [("All images", sets.coverage), *by_class]
    drawn = rows[: 1 + NUM_WEAKEST] if are_many(names) else rows
    return SetsView(
        sentence=describe_prediction_sets(sets, class_names=evidence.data.class_names),
        how="The target holds for every class by itself."
        if sets.conditional == "class"
        else "The target holds over all images together; one class may lie below it while another "
        "lies above.",
        coverage=Drawing(
            svg=draw_class_intervals(
                [ClassRow(name, interval) for name, interval in drawn],
                title="Coverage of the prediction sets",
                description=f"Share of images whose set holds the true label, with 95% intervals; "
                f"the dashed line is the target, {percent(target, digits=1)}.",
                reference=target,
            ),
            caption=caption,
            table=Table(
                "Coverage of the prediction sets",
                ("Images of", "Coverage", "95% interval"),
                tuple(
                    (name, percent(interval.estimate, digits=1), percent_range(interval))
                    for name, interval in rows
                ),
            ),
            gutter=f"name {name_gutter(name for name, _ in drawn)}",
            legend=(("a", "coverage"), ("line", f"target {percent(target)}")),
        ),
        sizes=spread_drawing(
            _bin_sizes(sets.size_counts),
            title="Labels in a prediction set",
            caption="One label means that the model commits itself; more mean that it cannot "
            "decide between them; none, that no label fits.",
            of="images",
        ),
    )


def _bin_sizes(size_counts: tuple[int, ...]) -> Binned:
    """Returns a bar a number of labels; beyond a handful, numbers double from bar to bar."""
    last = max((k for k, number in enumerate(size_counts) if number), default=0)
    if last <= MAX_SET_SIZES:
        sizes = range(last + 1)
        return tuple(_size(k) for k in sizes), tuple(size_counts[k] for k in sizes)
    labels, counts = bin_counts([k for k, number in enumerate(size_counts) for _ in range(number)])
    return tuple(f"{label} {'label' if label == '1' else 'labels'}" for label in labels), counts


def _size(number: int) -> str:
    return {0: "no label", 1: "1 label"}.get(number, f"{number} labels")


def _view(report: ReportInput) -> SetsView | None:
    sets = report.evidence.prediction_sets
    return None if sets is None else sets_section(report.evidence, sets)


def _text(evidence: Evidence) -> str | None:
    sets = evidence.prediction_sets
    return None if sets is None else describe_prediction_sets(sets)


def _card(report: ReportInput) -> tuple[str, ...]:
    sets, names = report.evidence.prediction_sets, report.evidence.data.class_names
    return () if sets is None else (describe_prediction_sets(sets, class_names=names),)


PREDICTION_SETS = Section(
    anchor="sets",
    contents="Prediction sets",
    heading="When it cannot decide: prediction sets",
    view=_view,
    absent="Not measured: prediction sets need calibrated held-out predictions, and this evaluation has none.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
<p>{{ view.how }}</p>
{{ m.drawing(view.coverage) }}
<h3>How many labels a list has</h3>
{{ m.drawing(view.sizes) }}
""",
)
