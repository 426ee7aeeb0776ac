"""Figures by class, the weakest first, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, name_gutter, name_label, words
from foveal.evaluation.evidence import ClassMetrics, Interval, Metrics
from foveal.reporting.figures import (
    NUM_WEAKEST,
    Cell,
    ClassRow,
    Drawing,
    Table,
    are_many,
    bin_rates,
    draw_class_intervals,
    spread_drawing,
)
from foveal.reporting.numbers import area, area_range, count, percent_range
from foveal.reporting.section import Section
from foveal.text import printable

ROW_PX = 22.0
NUM_SHADES = 11


def shade_index(value: int, total: int) -> int:
    """Returns 0 for nothing, else 1 to 10 by the share of the row, ten per cent a step.

    >>> shade_index(0, 50), shade_index(1, 50), shade_index(25, 50), shade_index(50, 50)
    (0, 1, 5, 10)
    """
    if value <= 0 or total <= 0:
        return 0
    return max(1, min(NUM_SHADES - 1, -(-10 * value // total)))


def draw_confusion_map(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Returns one square a pair of classes, darker with its share of the row.

    Columns carry the number of their class, rows number and name.
    """
    num_classes = len(class_names)
    columns = Scale(0.0, float(num_classes))
    parts = []
    for j in range(num_classes):
        kind = "tick" if j % 2 == 0 else "tick wide"
        parts.append(
            words(str(j + 1), class_=kind, x=columns.x(j + 0.5), y=12, text_anchor="middle")
        )
    for i, row in enumerate(confusion):
        y = 18 + ROW_PX * i
        total = sum(row)
        parts.append(name_label(f"{class_names[i]} {i + 1}", y=y + 15))
        for j, value in enumerate(row):
            shade = shade_index(value, total)
            if value == 0 and i != j:
                continue
            kind = f"cell s{shade} diagonal" if i == j else f"cell s{shade}"
            parts.append(
                element(
                    "rect",
                    class_=kind,
                    x=columns.x(j),
                    y=y,
                    width=columns.x(1),
                    height=ROW_PX,
                )
            )
            parts.append(
                words(
                    str(value),
                    class_=f"count wide t{shade}",
                    x=columns.x(j + 0.5),
                    y=y + 15,
                    text_anchor="middle",
                )
            )
    return figure(
        parts,
        title=f"Confusion matrix of {num_classes} classes",
        description="Rows are the given classes, columns the predicted ones, in the same order; "
        "the stronger a square's shade, the larger its share of the row.",
        height_px=18 + ROW_PX * num_classes + 2,
    )


MAX_GRID_CLASSES = 8
MAX_CONFUSIONS = 8


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """One cell: its count, its share of the row, its shade (0 to 10)."""

    count: str
    share: str
    shade: int
    is_diagonal: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """The matrix as a table of few classes or a map of many, and the commonest mix-ups.

    ``grid`` is for at most eight classes, ``drawing`` for more; of many classes both are ``None``.
    """

    names: tuple[str, ...]
    totals: tuple[str, ...]
    grid: tuple[tuple[ConfusionCell, ...], ...] | None
    drawing: Drawing | None
    commonest: tuple[str, ...]


def classes_drawings(metrics: Metrics) -> tuple[Drawing, ...]:
    """Returns recall and precision by class, the lowest recall first.

    Of many classes: how their recall is spread, then the weakest.
    """
    ordered = sorted(
        metrics.per_class,
        key=lambda item: 2.0 if item.recall.estimate is None else item.recall.estimate,
    )
    if not are_many(ordered):
        return (_class_intervals(ordered, num_drawn=len(ordered)),)
    spread = spread_drawing(
        bin_rates([item.recall.estimate for item in ordered]),
        title="How many classes have which recall",
        caption="Recall: of the images of a class, how many were found. A bar counts the classes "
        "whose recall lies in that range.",
        of="classes",
    )
    return (spread, _class_intervals(ordered, num_drawn=NUM_WEAKEST))


def _class_intervals(ordered: Sequence[ClassMetrics], *, num_drawn: int) -> Drawing:
    drawn = ordered[:num_drawn]
    left_out = len(ordered) - len(drawn)
    return Drawing(
        svg=draw_class_intervals(
            [ClassRow(item.name, item.recall, item.precision) for item in drawn],
            title="Recall and precision by class",
            description="A dot is recall, a diamond precision, each with its 95% interval. "
            "The class with the lowest recall comes first.",
        ),
        caption="Recall: of the images of this class, how many were found. Precision: of the "
        "answers with this class, how many were right. The weakest class comes first."
        + (f" {count(left_out)} stronger classes are in the table alone." if left_out else ""),
        table=Table(
            "Figures by class",
            ("Class", "Images", "Recall", "Precision", "F1", "AUROC"),
            tuple(
                (
                    printable(item.name),
                    count(item.num_images),
                    _rate(item.recall),
                    _rate(item.precision),
                    _rate(item.f1),
                    Cell(area(item.auroc.estimate), area_range(item.auroc)),
                )
                for item in ordered
            ),
        ),
        gutter=f"name {name_gutter(item.name for item in drawn)}",
        legend=(("a", "recall"), ("b", "precision")),
    )


def confusion_section(metrics: Metrics) -> Confusion:
    """Returns the confusion matrix in the form that suits the number of classes."""
    names = tuple(printable(item.name) for item in metrics.per_class)
    sums = [sum(row) for row in metrics.confusion]
    grid = None
    drawing = None
    if len(names) <= MAX_GRID_CLASSES:
        grid = tuple(
            tuple(
                ConfusionCell(
                    count(value),
                    _share(value, total),
                    shade_index(value, total),
                    is_diagonal=i == j,
                )
                for j, value in enumerate(row)
            )
            for i, (row, total) in enumerate(zip(metrics.confusion, sums, strict=True))
        )
    elif not are_many(names):
        drawing = Drawing(
            svg=draw_confusion_map(metrics.confusion, names),
            caption="Rows are the given classes, columns the predicted ones, in the same order. "
            "The stronger the shade, the larger the share of the row; everything off the "
            "outlined diagonal is a mistake.",
            table=Table(
                "Confusion counts: given class by row, predicted class by column",
                ("Given", *(str(j + 1) for j in range(len(names))), "All"),
                tuple(
                    (
                        f"{i + 1} {names[i]}",
                        *(str(value) if value else "·" for value in row),
                        count(sums[i]),
                    )
                    for i, row in enumerate(metrics.confusion)
                ),
            ),
            gutter=f"name {name_gutter(names)}",
        )
    return Confusion(
        names, tuple(count(total) for total in sums), grid, drawing, _commonest(metrics, names)
    )


def _commonest(metrics: Metrics, names: tuple[str, ...]) -> tuple[str, ...]:
    mixed = [
        (value, i, j)
        for i, row in enumerate(metrics.confusion)
        for j, value in enumerate(row)
        if i != j and value
    ]
    mixed.sort(key=lambda item: (-item[0], item[1], item[2]))
    return tuple(
        f"“{names[i]}” taken for “{names[j]}”: {count(value)} of "
        f"{count(sum(metrics.confusion[i]))} ({_share(value, sum(metrics.confusion[i]))})"
        for value, i, j in mixed[: 3 if len(names) <= 3 else MAX_CONFUSIONS]
    )


def _share(value: int, total: int) -> str:
    return percent(value / total) if total else "–"


def _rate(interval: Interval) -> Cell:
    return Cell(percent(interval.estimate, digits=1), percent_range(interval))


CLASSES = Section(
    anchor="classes",
    contents="Class by class",
    heading="Class by class",
    view=lambda report: classes_drawings(report.evidence.metrics),
    html="""\
{% for drawing in view %}
{{ m.drawing(drawing, beside=drawing.table.rows|length <= 12) }}
{% endfor %}
""",
)

CONFUSION = Section(
    anchor="confusion",
    contents="Mix-ups",
    heading="Which classes are taken for which",
    view=lambda report: confusion_section(report.evidence.metrics),
    html="""\
{% if view.commonest %}
<p>Most often:</p>
<ul class="plain">
{% for sentence in view.commonest %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% else %}
<p>No image was classified wrongly.</p>
{% endif %}
{% if view.grid is not none %}
<figure class="plot">
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
<table class="confusion">
<caption class="aside">Confusion matrix: images, and their share of the row</caption>
<thead>
<tr><td></td><th class="over" colspan="{{ view.names|length }}" scope="colgroup">predicted</th><td></td></tr>
<tr><th scope="col" class="words">given</th>
{% for name in view.names %}
<th scope="col" title="{{ name }}"><bdi class="clip">{{ name }}</bdi></th>
{% endfor %}
<th scope="col">all</th></tr>
</thead>
<tbody>
{% for row in view.grid %}
{% set i = loop.index0 %}
<tr><th scope="row" class="words" title="{{ view.names[i] }}"><bdi class="clip">{{ view.names[i] }}</bdi></th>
{% for cell in row %}
<td class="s{{ cell.shade }} t{{ cell.shade }}{% if cell.is_diagonal %} diagonal{% endif %}">{{ cell.count }}<small>{{ cell.share }}</small></td>
{% endfor %}
<td class="sum">{{ view.totals[i] }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
<figcaption>Read along a row: of the images given as this class, how many were predicted as which. The outlined diagonal is right; the stronger its shade, the larger a cell’s share of the row.</figcaption>
</figure>
{% elif view.drawing is not none %}
{{ m.drawing(view.drawing) }}
{% else %}
<p class="absent">A matrix of {{ view.names|length }} classes cannot be read on a page; it is in <code>evaluation.json</code>. The commonest mix-ups are above.</p>
{% endif %}
""",
)
