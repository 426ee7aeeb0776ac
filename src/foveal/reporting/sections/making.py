"""How the classifier was made: everything needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveal.draw.numbers import percent
from foveal.evaluation import describe_choice
from foveal.evaluation.evidence import Evidence
from foveal.reporting.figures import Table
from foveal.reporting.numbers import area, seconds
from foveal.reporting.report_input import Making, ReportInput
from foveal.reporting.section import Section
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class MakingView:
    """Facts as pairs, and the longer lists as tables."""

    command: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def making_section(making: Making, evidence: Evidence) -> MakingView:
    """Returns the section."""
    licence = making.weights_licence or "licence not recorded"
    facts = [
        ("Created", f"{making.created}, Foveal {making.foveal_version}"),
        ("Backbone", making.backbone),
        ("Weights", f"{making.weights_source} ({licence})"),
        ("Model", "not recorded" if making.model is None else making.model.sentence),
        ("Views", ", ".join(making.views)),
        ("Backend", making.backend),
        ("Protocol", f"{_protocol(evidence)} Seed {evidence.protocol.seed}."),
        ("Intervals", evidence.metrics.interval_method),
        ("Machine", making.hardware),
        ("Time", seconds(evidence.timing.total_seconds)),
    ]
    if (compared := _text(evidence)) is not None:
        facts.insert(4, ("Comparison", compared))
    if making.data_source is not None:
        facts.insert(1, ("Data", making.data_source))
    return MakingView(
        command=printable(making.command),
        facts=tuple((name, printable(value)) for name, value in facts),
        tables=tuple(
            table
            for table in (
                _pairs("Preprocessing", ("Setting", "Value"), flatten(making.preprocessing)),
                _probe(making),
                _timing(evidence),
                _pairs("Seeds", ("Purpose", "Seed"), flatten(making.seeds)),
                _pairs("Versions", ("Package", "Version"), flatten(making.versions)),
            )
            if table.rows
        ),
        notes=tuple(printable(note) for note in making.notes),
    )


def flatten(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Returns nested settings as pairs of dotted name and text.

    >>> flatten({"fit": "squash", "window": {"low": 0.5}, "mean": [0.5, 0.5]})
    (('fit', 'squash'), ('window.low', '0.5'), ('mean', '0.5, 0.5'))
    """
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += [(f"{name}.{inner}", text) for inner, text in flatten(value)]
        elif isinstance(value, (list, tuple)):
            pairs.append((name, ", ".join(_plain(item) for item in value)))
        else:
            pairs.append((name, _plain(value)))
    return tuple((printable(name), printable(text)) for name, text in pairs)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _protocol(evidence: Evidence) -> str:
    sentence = printable(evidence.protocol.sentence).rstrip()
    return sentence if sentence.endswith(".") else f"{sentence}."


def _pairs(caption: str, header: tuple[str, str], rows: tuple[tuple[str, str], ...]) -> Table:
    return Table(caption, header, rows, num_text_columns=2)


def _probe(making: Making) -> Table:
    return Table(
        "Backends tried on this machine",
        ("Backend", "Images a second", "Agreement (cosine)", "Note"),
        tuple(
            (
                printable(row.name),
                "n/a" if row.images_per_second is None else f"{row.images_per_second:.0f}",
                "n/a" if row.cosine is None else _cosine(row.cosine),
                printable(row.note),
            )
            for row in making.probe
        ),
    )


def _cosine(value: float) -> str:
    return f"{value:.6f}" if value > 0.99 else area(value)


def _timing(evidence: Evidence) -> Table:
    total = evidence.timing.total_seconds
    return Table(
        "Where the time went",
        ("Step", "Time", "Share"),
        tuple(
            (printable(name), seconds(value), percent(value / total if total else None))
            for name, value in evidence.timing.steps_seconds.items()
        ),
    )


def _view(report: ReportInput) -> MakingView | None:
    return None if report.making is None else making_section(report.making, report.evidence)


def _text(evidence: Evidence) -> str | None:
    if evidence.model_choice is None:
        return None
    return " ".join(describe_choice(evidence.model_choice))


MAKING = Section(
    anchor="making",
    contents="How it was made",
    heading="How it was made",
    view=_view,
    absent="Not recorded: this report was made from the evidence alone.",
    text=_text,
    text_name="Head",
    html="""\
<pre class="command"><code>{{ view.command }}</code></pre>
<dl class="facts">
{% for name, text in view.facts %}
<div><dt>{{ name }}</dt><dd>{{ text }}</dd></div>
{% endfor %}
</dl>
{% for note in view.notes %}
<p>{{ note }}</p>
{% endfor %}
{% for value in view.tables %}
<details><summary>{{ value.caption }}</summary>
{{ m.table(value, quiet=true) }}
</details>
{% endfor %}
""",
)
