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
from foveal.reporting.report_input import Provenance, ReportInput
from foveal.reporting.section import Section
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class ProvenanceView:
    """Facts as pairs, and the longer lists as tables."""

    command: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def provenance_section(provenance: Provenance, evidence: Evidence) -> ProvenanceView:
    """Returns the section."""
    licence = provenance.weights_licence or "licence not recorded"
    facts = [
        ("Created", f"{provenance.created}, Foveal {provenance.foveal_version}"),
        ("Backbone", provenance.backbone),
        ("Weights", f"{provenance.weights_source} ({licence})"),
        ("Model", "not recorded" if provenance.model is None else provenance.model.sentence),
        ("Views", ", ".join(provenance.views)),
        ("Backend", provenance.backend),
        ("Protocol", f"{_protocol(evidence)} Seed {evidence.protocol.seed}."),
        ("Intervals", evidence.metrics.interval_method),
        ("Machine", provenance.hardware),
        ("Time", seconds(evidence.timing.total_seconds)),
    ]
    if (compared := _text(evidence)) is not None:
        facts.insert(4, ("Comparison", compared))
    if provenance.data_source is not None:
        facts.insert(1, ("Data", provenance.data_source))
    return ProvenanceView(
        command=printable(provenance.command),
        facts=tuple((name, printable(value)) for name, value in facts),
        tables=tuple(
            table
            for table in (
                _pairs("Preprocessing", ("Setting", "Value"), flatten(provenance.preprocessing)),
                _probe(provenance),
                _timing(evidence),
                _pairs("Seeds", ("Purpose", "Seed"), flatten(provenance.seeds)),
                _pairs("Versions", ("Package", "Version"), flatten(provenance.versions)),
            )
            if table.rows
        ),
        notes=tuple(printable(note) for note in provenance.notes),
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


def _probe(provenance: Provenance) -> Table:
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
            for row in provenance.probe
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


def _view(report: ReportInput) -> ProvenanceView | None:
    return (
        None
        if report.provenance is None
        else provenance_section(report.provenance, report.evidence)
    )


def _text(evidence: Evidence) -> str | None:
    if evidence.model_choice is None:
        return None
    return " ".join(describe_choice(evidence.model_choice))


PROVENANCE = Section(
    anchor="provenance",
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
