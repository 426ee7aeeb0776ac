"""How the classifier was made: everything needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence
from foveal.reporting.figures import Table
from foveal.reporting.numbers import area, seconds
from foveal.reporting.report_input import Making
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
        ("Head", _head(making)),
        ("Views", ", ".join(making.views)),
        ("Backend", making.backend),
        ("Protocol", f"{_protocol(evidence)} Seed {evidence.protocol.seed}."),
        ("Intervals", evidence.metrics.interval_method),
        ("Machine", making.hardware),
        ("Time", seconds(evidence.timing.total_seconds)),
    ]
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


def _head(making: Making) -> str:
    if making.head_strength is None:
        return "not recorded"
    return (
        "multinomial logistic regression on standardised features, "
        f"L2 strength {making.head_strength:g}"
    )


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
