"""Suspicious labels and worst mistakes, as images to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from foveal.draw.numbers import percent
from foveal.draw.text_layout import shorten_middle
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.reporting.sections.data import MAX_EXAMPLES
from foveal.text import printable

MAX_SHOWN_LABELS = 50
MAX_SHOWN_MISTAKES = 24
NUM_IN_SIGHT = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One image with its label and what the model predicts instead."""

    slot: str
    path_parts: tuple[str, ...]
    full_path: str
    label: str
    label_probability: str
    predicted: str
    predicted_probability: str


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
    """Yields slot and index of every image that the page would like, the most important first.

    First one example a class, then suspicious labels and mistakes in turn, then the other
    examples.
    """
    examples = [
        (f"example-{index}-{rank}", picture, rank)
        for index, name in enumerate(report.evidence.data.class_names)
        for rank, picture in enumerate(report.examples.get(name, ())[:MAX_EXAMPLES])
    ]
    yield from ((slot, picture) for slot, picture, rank in examples if rank == 0)
    labels = [issue.index for issue in report.evidence.label_review[:MAX_SHOWN_LABELS]]
    mistakes = [item.index for item in report.evidence.mistakes[:MAX_SHOWN_MISTAKES]]
    for rank, (label, mistake) in enumerate(zip_longest(labels, mistakes)):
        if label is not None:
            yield f"label-{rank}", label
        if mistake is not None:
            yield f"mistake-{rank}", mistake
    yield from ((slot, picture) for slot, picture, rank in examples if rank > 0)


def _parts(path: str) -> tuple[str, ...]:
    """Returns the shortened path in pieces, each but the last ending in a slash."""
    *folders, name = shorten_middle(path, 60).split("/")
    return (*(f"{folder}/" for folder in folders), name)


def _gallery(cards: list[Card], *, num_all: int) -> Gallery:
    return Gallery(
        tuple(cards[:NUM_IN_SIGHT]), tuple(cards[NUM_IN_SIGHT:]), max(0, num_all - len(cards))
    )


LABELS = Section(
    anchor="labels",
    contents="Suspicious labels",
    heading="Labels worth a second look",
    view=label_gallery,
    text=lambda evidence: evidence.label_note or None,
    text_name="Labels",
    html="""\
{% if view.seen %}
<p>The model, without having seen these images, gives their label little probability and another one much. Some labels are wrong; in others the model is. Only a person can tell (confident learning, Northcutt et al. 2021).</p>
{{ m.gallery(album, view, "likely") }}
{% else %}
<p class="absent">{{ evidence.label_note or "None: no label contradicts the held-out predictions strongly enough to be listed." }}</p>
{% endif %}
""",
)

MISTAKES = Section(
    anchor="mistakes",
    contents="Worst mistakes",
    heading="Worst mistakes",
    view=mistake_gallery,
    html="""\
{% if view.seen %}
<p>Wrong answers, the surest first. What they have in common is often the quickest way to a better classifier.</p>
{{ m.gallery(album, view, "predicted") }}
{% else %}
<p class="absent">None: every held-out image was classified correctly.</p>
{% endif %}
""",
)

NOVELTY = Section(
    anchor="novelty",
    contents="Unlike images",
    heading="Images unlike anything it has seen",
    view=lambda report: report.evidence.novelty,
    absent="Not measured: there was no reference of training features to compare with.",
    html="""\
<p>Each new image is compared with the training images; beyond a threshold it is flagged, and its label should not be relied on. Of the training images themselves, {{ view.flagged_share|percent(digits=1) }} were flagged when held out: expect about as many false alarms.</p>
<dl class="facts">
<div><dt>Method</dt><dd>{{ view.method }}</dd></div>
<div><dt>Threshold</dt><dd>{{ "%.4g"|format(view.threshold) }}</dd></div>
</dl>
""",
)
