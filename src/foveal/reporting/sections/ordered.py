"""Ordered classes: how many steps an answer lies from the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import name_gutter
from foveal.evaluation.evidence import Evidence, Metrics, OrderedClasses
from foveal.evaluation.ordered import describe_ordered
from foveal.reporting.figures import Drawing, Table, are_many, draw_bars
from foveal.reporting.numbers import count
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import count_noun, printable


@dataclass(frozen=True, slots=True)
class OrderedView:
    """Sentences, images by distance, and the confusion with its classes in their order."""

    sentence: str
    order: str
    drawing: Drawing
    confusion: Table | None


def ordered_section(ordered: OrderedClasses, metrics: Metrics) -> OrderedView:
    """Returns how far answers lie from the label."""
    names = [_distance_name(distance) for distance in range(len(ordered.distance_counts))]
    total = max(1, sum(ordered.distance_counts))
    return OrderedView(
        sentence=describe_ordered(ordered),
        order=" < ".join(map(printable, ordered.order)),
        drawing=Drawing(
            svg=draw_bars(
                names, ordered.distance_counts, title="Images by the distance of their answer"
            ),
            caption="How many steps of the order lie between the answer and the label.",
            table=Table(
                "Distance of the answer from the label",
                ("Distance", "Images", "Share"),
                tuple(
                    (name, count(number), percent(number / total, digits=1))
                    for name, number in zip(names, ordered.distance_counts, strict=True)
                ),
            ),
            gutter=f"bar {name_gutter(names)}",
        ),
        confusion=None if are_many(ordered.order) else _confusion(ordered, metrics),
    )


def _confusion(ordered: OrderedClasses, metrics: Metrics) -> Table:
    """Returns counts with the classes in their order, and each class's mean distance."""
    index = {one.name: position for position, one in enumerate(metrics.per_class)}
    positions = [index[name] for name in ordered.order]
    rows = []
    for rank, position in enumerate(positions):
        counts = [metrics.confusion[position][other] for other in positions]
        steps = sum(abs(rank - other) * number for other, number in enumerate(counts))
        rows.append(
            (
                printable(ordered.order[rank]),
                *map(count, counts),
                f"{steps / sum(counts):.2f}" if sum(counts) else "–",
            )
        )
    header = ("Given", *map(printable, ordered.order), "Mean distance")
    return Table("Given class by row, predicted by column, in their order", header, tuple(rows))


def _distance_name(distance: int) -> str:
    return "right" if distance == 0 else f"{count_noun(distance, 'step')} off"


def _view(report: ReportInput) -> OrderedView | None:
    ordered = report.evidence.ordered
    return None if ordered is None else ordered_section(ordered, report.evidence.metrics)


def _text(evidence: Evidence) -> str | None:
    return None if evidence.ordered is None else describe_ordered(evidence.ordered)


def _card(report: ReportInput) -> Sequence[str]:
    text = _text(report.evidence)
    return () if text is None else (text,)


ORDERED = Section(
    anchor="ordered",
    contents="Ordered classes",
    heading="How far off are the answers?",
    view=_view,
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
{{ m.drawing(view.drawing) }}
{% if view.confusion is not none %}
<details><summary>Mix-ups in their order</summary>
{{ m.table(view.confusion, quiet=true) }}
</details>
{% endif %}
<p class="aside">The order: {{ view.order }}. Weighted kappa is agreement beyond chance, a mistake counting by the square of its distance (Cohen 1968).</p>
""",
)
