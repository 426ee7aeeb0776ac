"""What is in the data, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import name_gutter
from foveal.draw.text_layout import shorten_middle
from foveal.reporting.audit import FindingFacts, describe_rest, read_audit
from foveal.reporting.figures import Drawing, Table, are_many, bin_counts, draw_bars, spread_drawing
from foveal.reporting.numbers import count
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import count_noun, printable

MAX_PATHS = 12
MAX_TALLY = 6
MAX_EXAMPLES = 6


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding with as many of its paths as a reader can use."""

    finding: FindingFacts
    paths: tuple[str, ...]
    rest: str


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A class with the slots of its thumbnails in the album."""

    name: str
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataView:
    """Texts, figure, findings and examples of the section."""

    summary: str
    drawing: Drawing
    examples: tuple[ExampleRow, ...]
    findings: tuple[FindingView, ...] | None
    tallies: tuple[tuple[str, str], ...]


def data_section(report: ReportInput) -> DataView:
    """Returns the section; ``findings`` is ``None`` where nobody looked."""
    facts = report.evidence.data
    audit = None if report.audit is None else read_audit(report.audit)
    names = tuple(printable(name) for name in facts.class_names)
    return DataView(
        summary=_summary(report),
        drawing=_drawing(names, facts.class_counts),
        examples=example_rows(report),
        findings=None
        if audit is None
        else tuple(
            FindingView(
                item,
                tuple(shorten_middle(path, 120) for path in item.paths[:MAX_PATHS]),
                describe_rest(item, num_shown=MAX_PATHS),
            )
            for item in audit.findings
        ),
        tallies=()
        if audit is None
        else tuple((heading, _tally(dict(values))) for heading, values in audit.tallies),
    )


def _drawing(names: tuple[str, ...], counts: tuple[int, ...]) -> Drawing:
    total = max(1, sum(counts))
    table = Table(
        "Images by class",
        ("Class", "Images", "Share"),
        tuple(
            (name, count(number), percent(number / total, digits=1))
            for name, number in zip(names, counts, strict=True)
        ),
    )
    if are_many(names):
        return spread_drawing(
            bin_counts(counts),
            title="How many classes have how many images",
            caption=f"A bar counts the classes with that many images. {_caption(names, counts)}",
            of="classes",
            table=table,
        )
    return Drawing(
        svg=draw_bars(names, counts, title="Images by class"),
        caption=_caption(names, counts),
        table=table,
        gutter=f"bar {name_gutter(names)}",
    )


def example_rows(report: ReportInput) -> tuple[ExampleRow, ...]:
    """Returns the classes that have examples, in the order of the classes."""
    rows = []
    for index, name in enumerate(report.evidence.data.class_names):
        chosen = report.examples.get(name, ())[:MAX_EXAMPLES]
        if chosen:
            rows.append(
                ExampleRow(
                    printable(name), tuple(f"example-{index}-{rank}" for rank in range(len(chosen)))
                )
            )
    return tuple(rows)


def _summary(report: ReportInput) -> str:
    facts = report.evidence.data
    text = (
        f"{count_noun(facts.num_images, 'image')} in "
        f"{count_noun(facts.num_classes, 'class', 'classes')}"
    )
    source = report.evidence.grouping.source
    if facts.num_groups < facts.num_images:
        text += f", {count_noun(facts.num_groups, 'group')} that belong together"
        if source is not None:
            text += f" ({printable(source)})"
    text += "."
    if facts.num_bad:
        text += (
            f" {count_noun(facts.num_bad, 'file')} could not be used and "
            f"{'was' if facts.num_bad == 1 else 'were'} set aside."
        )
    else:
        text += " Every file could be used."
    return text


def _caption(names: tuple[str, ...], counts: tuple[int, ...]) -> str:
    if not counts or min(counts) == 0:
        return "How many images each class has."
    largest, smallest = max(counts), min(counts)
    ratio = largest / smallest
    if ratio < 1.5:
        return "The classes are about equally common."
    return (
        f"“{names[counts.index(largest)]}” has {ratio:.1f} times as many images as "
        f"“{names[counts.index(smallest)]}”."
    )


def _tally(values: dict[str, int]) -> str:
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{shorten_middle(name, 40)} ({count(n)})" for name, n in ordered[:MAX_TALLY])
    more = len(ordered) - MAX_TALLY
    return f"{text} and {more} more" if more > 0 else text


DATA = Section(
    anchor="data",
    contents="The data",
    heading="What is in the data, and what is wrong with it",
    view=data_section,
    html="""\
<p class="lead">{{ view.summary }}</p>
{{ m.drawing(view.drawing) }}
{% if view.examples %}
<h3>What the classes look like</h3>
{{ m.examples(album, view.examples[:8]) }}
{% if view.examples|length > 8 %}
<details><summary>{{ view.examples|length - 8 }} more {{ "class" if view.examples|length == 9 else "classes" }}</summary>
{{ m.examples(album, view.examples[8:]) }}
</details>
{% endif %}
{% endif %}
<h3>What is wrong with it</h3>
{% if view.findings is none %}
<p class="absent">Not examined: this report was made without an audit. <code>foveal audit</code> looks for unreadable files, duplicates, contradictory labels and more.</p>
{% elif not view.findings %}
<p>The audit looked for unreadable files, duplicates, contradictory labels, imbalance, mixed sizes and blank images, and found nothing to report.</p>
{% else %}
<ul class="findings">
{% for item in view.findings %}
<li class="finding {{ item.finding.severity }}">
<p class="finding-title"><span class="severity">{{ {"error": "Error", "warning": "Warning", "info": "Note"}[item.finding.severity] }}</span> {{ item.finding.title }}</p>
{% if item.finding.detail %}
<p>{{ item.finding.detail }}</p>
{% endif %}
{% if item.finding.fix %}
<p class="fix"><b>What to do:</b> {{ item.finding.fix }}</p>
{% endif %}
{% if item.paths %}
<details><summary>{{ "{:,}".format(item.finding.num_affected) }} {{ "file" if item.finding.num_affected == 1 else "files" }}</summary>
<ul class="paths">
{% for path in item.paths %}
<li><bdi>{{ path }}</bdi></li>
{% endfor %}
</ul>
{% if item.rest %}
<p class="aside">{{ item.rest }}</p>
{% endif %}
</details>
{% endif %}
</li>
{% endfor %}
</ul>
{% endif %}
{% if view.tallies %}
<dl class="facts">
{% for name, text in view.tallies %}
<div><dt>{{ name }}</dt><dd>{{ text }}</dd></div>
{% endfor %}
</dl>
{% endif %}
""",
)
