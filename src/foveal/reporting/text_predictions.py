"""Predictions as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from foveal.draw.numbers import percent
from foveal.draw.text_layout import (
    COLUMNS,
    Style,
    display_width,
    pad,
    plain,
    shorten_end,
    shorten_middle,
    wrap,
)
from foveal.evaluation.operating_point import OperatingPoint
from foveal.evaluation.operating_wording import describe_point
from foveal.text import count_noun, printable

MAX_LABEL_COLUMNS = 18
MAX_SET_COLUMNS = 22
MAX_SET_LINES = 3
MAX_PATH_COLUMNS = 40
FLAG_WORDS = ("unsure", "unlike")


class PredictionRow(Protocol):
    """One image's prediction; ``error`` says why there is none."""

    @property
    def path(self) -> str:
        """The file, as given."""
        ...

    @property
    def label(self) -> str | None:
        """The likeliest label."""
        ...

    @property
    def probability(self) -> float | None:
        """Its calibrated probability."""
        ...

    @property
    def prediction_set(self) -> Sequence[str]:
        """Labels that cannot be ruled out."""
        ...

    @property
    def is_unsure(self) -> bool | None:
        """Whether the set does not hold exactly one label."""
        ...

    @property
    def is_unlike_training(self) -> bool | None:
        """Whether the image lies beyond the novelty threshold."""
        ...

    @property
    def error(self) -> str | None:
        """Why the image could not be used."""
        ...


def render_predictions_text(
    rows: Sequence[PredictionRow], *, point: OperatingPoint | None = None, style: Style = plain
) -> str:
    """Returns a line an image, at most 80 columns wide, then what label and flags mean.

    A set that does not fit its column is wrapped, never cut.

    The set is written out where it holds more or fewer labels than the one predicted. ``point`` is
    the operating point that the labels follow.
    """
    texts = [_cells(row) for row in rows]
    header = ("image", "label", "prob.", "set", "flags")
    natural = [
        max(display_width(cells[k]) for cells in (header, *(t for t in texts if t is not None)))
        for k in range(5)
    ]
    label_columns = min(natural[1], MAX_LABEL_COLUMNS)
    longest = max((display_width(printable(row.path)) for row in rows), default=5)
    room = COLUMNS - label_columns - natural[2] - natural[4] - 8
    # Where both are long, the path is what a row is found by.
    set_columns = min(natural[3], MAX_SET_COLUMNS, max(10, room - min(longest, 26)))
    path_columns = max(5, min(longest, room - set_columns, MAX_PATH_COLUMNS))
    widths = (path_columns, label_columns, natural[2], set_columns, natural[4])
    lines = [style(_line(header, widths), "heading")]
    for row, cells in zip(rows, texts, strict=True):
        if cells is None:
            path = pad(shorten_middle(row.path, path_columns), path_columns)
            # In full, over several lines if need be: the reason is what the row is there for.
            head, word = f"{path}  ", "error:"
            first = f"{head}{word} "
            text = wrap(
                row.error or "no prediction", indent=" " * display_width(first), first=first
            )
            lines.append(head + style(word, "error") + text[len(head) + len(word) :])
        else:
            text = _lines(cells, widths)
            lines.append(style(text, "warning") if cells[4] else text)
    meaning = [] if point is None else [wrap(describe_point(point))]
    return "\n".join([*lines, "", *_legend(rows), *meaning])


def _cells(row: PredictionRow) -> tuple[str, ...] | None:
    if row.error is not None or row.label is None:
        return None
    labels = tuple(row.prediction_set)
    shown = "" if labels == (row.label,) else ", ".join(printable(name) for name in labels)
    if not labels:
        shown = "(none)"
    flags = " ".join(
        word
        for word, is_set in zip(FLAG_WORDS, (row.is_unsure, row.is_unlike_training), strict=True)
        if is_set
    )
    probability = "" if row.probability is None else percent(row.probability)
    return (printable(row.path), printable(row.label), probability, shown, flags)


def _lines(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    """Returns a row; a set that does not fit its column goes on below, with every label."""
    path, label, probability, labels, flags = cells
    inside = wrap(labels, columns=widths[3]).split("\n")
    if len(inside) > MAX_SET_LINES:
        told = shorten_end(f"{labels.count(', ') + 1} labels:", widths[3])
        below = wrap(labels, indent="    ").split("\n")
        return "\n".join([_line((path, label, probability, told, flags), widths), *below])
    indent = " " * (sum(widths[:3]) + 6)
    return "\n".join(
        [
            _line((path, label, probability, inside[0], flags), widths),
            *(f"{indent}{more}" for more in inside[1:]),
        ]
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    path, label, probability, labels, flags = cells
    return "  ".join(
        (
            pad(shorten_middle(path, widths[0]), widths[0]),
            pad(shorten_middle(label, widths[1]), widths[1]),
            pad(probability, widths[2], right=True),
            pad(shorten_end(labels, widths[3]), widths[3]),
            flags,
        )
    ).rstrip()


def _legend(rows: Sequence[PredictionRow]) -> list[str]:
    lines = []
    num_errors = sum(row.error is not None for row in rows)
    text = count_noun(len(rows) - num_errors, "image")
    if num_errors:
        text += f", {count_noun(num_errors, 'file')} that could not be used"
    lines.append(wrap(f"{text}."))
    if any(row.is_unsure for row in rows):
        lines.append(wrap("unsure: the set does not hold exactly one label; a person should look."))
    if any(row.is_unlike_training for row in rows):
        lines.append(
            wrap("unlike: resembles nothing in the training images; do not rely on the label.")
        )
    return lines
