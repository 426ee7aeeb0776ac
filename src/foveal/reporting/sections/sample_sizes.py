"""How many images each class has, and how many its sensitivity needs."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence
from foveal.evaluation.sample_size import (
    SampleSizes,
    describe_sample_size,
    describe_sample_sizes,
    summarise_sample_sizes,
)
from foveal.reporting.figures import Cell, Table, are_many
from foveal.reporting.numbers import count, percent_range
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class SampleSizesView:
    """Sentences and the table of the section."""

    sentence: str
    by_class: tuple[str, ...]
    table: Table


def sample_sizes_section(sizes: SampleSizes) -> SampleSizesView:
    """Returns the section; of many classes the sentences are left to the table."""
    points = f"±{100 * sizes.half_width:g} points"
    return SampleSizesView(
        sentence=describe_sample_sizes(sizes),
        by_class=()
        if are_many(sizes.classes)
        else tuple(describe_sample_size(row, sizes.half_width) for row in sizes.classes),
        table=Table(
            f"Images for a sensitivity within {points}",
            ("Class", "Images", "Sensitivity", "Design effect", "Needed", "Up to"),
            tuple(
                (
                    printable(row.name),
                    Cell(count(row.num_images), f"{count(row.num_groups)} groups"),
                    Cell(
                        percent(row.sensitivity.estimate, digits=1), percent_range(row.sensitivity)
                    ),
                    f"{row.design_effect:.2f}",
                    _count(row.num_needed),
                    _count(row.num_needed_at_worst),
                )
                for row in sizes.classes
            ),
        ),
    )


def _count(value: int | None) -> str:
    return "unknown" if value is None else count(value)


def _view(report: ReportInput) -> SampleSizesView | None:
    sizes = report.evidence.sample_sizes
    return None if sizes is None else sample_sizes_section(sizes)


def _text(evidence: Evidence) -> str | None:
    sizes = evidence.sample_sizes
    return None if sizes is None else summarise_sample_sizes(sizes)


def _card(report: ReportInput) -> tuple[str, ...]:
    sizes = report.evidence.sample_sizes
    return () if sizes is None else (describe_sample_sizes(sizes),)


SAMPLE_SIZES = Section(
    anchor="sample-sizes",
    contents="Images needed",
    heading="How many images does a reliable sensitivity need?",
    view=_view,
    absent="Not measured: this run was made before the images needed were counted.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.sentence }}</p>
<details><summary>Class by class</summary>
{% if view.by_class %}
<ul class="plain">
{% for sentence in view.by_class %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% endif %}
{{ m.table(view.table) }}
</details>
<p class="aside">n = 1.96² s(1 − s)/h² images of the class for a sensitivity s ± h (Whittle, Riley, Snell and others 2025, after Riley and others 2024), times the design effect: images of one group tell less than as many of different ones. “Up to” takes the value of the interval that needs the most.</p>
""",
)
