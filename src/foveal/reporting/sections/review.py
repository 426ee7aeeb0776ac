"""Suspicious labels and worst mistakes, as pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from foveal.draw.numbers import percent
from foveal.draw.width import shorten_middle
from foveal.reporting.report_input import ReportInput
from foveal.reporting.sections.data import MAX_EXAMPLES
from foveal.text import printable

MAX_SHOWN_LABELS = 50
MAX_SHOWN_MISTAKES = 24
NUM_IN_SIGHT = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One picture with what was given and what the model says instead."""

    place: str
    path_parts: tuple[str, ...]
    full_path: str
    given: str
    given_probability: str
    said: str
    said_probability: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cards in sight, cards folded away, and how many are in ``evaluation.json`` alone."""

    seen: tuple[Card, ...]
    folded: tuple[Card, ...]
    num_more: int


def label_gallery(report: ReportInput) -> Gallery:
    """Returns the labels worth a second look."""
    issues = report.evidence.label_review
    return _gallery(
        [
            Card(
                f"label-{rank}",
                _parts(issue.path),
                printable(issue.path),
                printable(issue.label),
                percent(issue.label_probability),
                printable(issue.suggested),
                percent(issue.suggested_probability),
            )
            for rank, issue in enumerate(issues[:MAX_SHOWN_LABELS])
        ],
        num_all=len(issues),
    )


def mistake_gallery(report: ReportInput) -> Gallery:
    """Returns the mistakes that the model was surest of."""
    mistakes = report.evidence.mistakes
    return _gallery(
        [
            Card(
                f"mistake-{rank}",
                _parts(mistake.path),
                printable(mistake.path),
                printable(mistake.label),
                "",
                printable(mistake.predicted),
                percent(mistake.probability),
            )
            for rank, mistake in enumerate(mistakes[:MAX_SHOWN_MISTAKES])
        ],
        num_all=len(mistakes),
    )


def wanted_pictures(report: ReportInput) -> Iterator[tuple[str, int]]:
    """Yields place and index of every picture that the page would like, dearest first.

    First one example a class, then suspicious labels and mistakes in turn, then the other
    examples.
    """
    examples = [
        (f"example-{index}-{rank}", picture, rank)
        for index, name in enumerate(report.evidence.data.class_names)
        for rank, picture in enumerate(report.examples.get(name, ())[:MAX_EXAMPLES])
    ]
    yield from ((place, picture) for place, picture, rank in examples if rank == 0)
    labels = [issue.index for issue in report.evidence.label_review[:MAX_SHOWN_LABELS]]
    mistakes = [item.index for item in report.evidence.mistakes[:MAX_SHOWN_MISTAKES]]
    for rank, (label, mistake) in enumerate(zip_longest(labels, mistakes)):
        if label is not None:
            yield f"label-{rank}", label
        if mistake is not None:
            yield f"mistake-{rank}", mistake
    yield from ((place, picture) for place, picture, rank in examples if rank > 0)


def _parts(path: str) -> tuple[str, ...]:
    """Returns the shortened path in pieces, each but the last ending in a slash."""
    *folders, name = shorten_middle(path, 60).split("/")
    return (*(f"{folder}/" for folder in folders), name)


def _gallery(cards: list[Card], *, num_all: int) -> Gallery:
    return Gallery(
        tuple(cards[:NUM_IN_SIGHT]), tuple(cards[NUM_IN_SIGHT:]), max(0, num_all - len(cards))
    )
