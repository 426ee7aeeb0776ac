"""Rates by class with their intervals, one or two a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.svg import Scale, figure, grid, name_label
from foveal.evaluation.evidence import Interval
from foveal.reporting.figures.marks import interval_mark, reference_mark, track

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: a first rate (dot) and perhaps a second (diamond)."""

    name: str
    first: Interval
    second: Interval | None = None


def draw_class_intervals(
    rows: Sequence[ClassRow], *, title: str, description: str, reference: float | None = None
) -> str:
    """Returns a row a class; ``reference`` is a rate that all are compared with."""
    scale = Scale(0.0, 1.0)
    row_px = 36.0 if len(rows) <= 12 else 30.0
    bottom = row_px * len(rows)
    parts = [grid(scale, TICKS, top=0, bottom=bottom)]
    if reference is not None:
        parts.append(reference_mark(reference, scale, top=0, bottom=bottom))
    for index, row in enumerate(rows):
        middle = row_px * (index + 0.5)
        offset = 0.0 if row.second is None else row_px / 5
        parts.append(name_label(row.name, y=middle + 4))
        parts.append(track(y=middle - offset))
        parts.append(interval_mark(row.first, scale, y=middle - offset))
        if row.second is not None:
            parts.append(track(y=middle + offset))
            parts.append(interval_mark(row.second, scale, y=middle + offset, series="b"))
    return figure(parts, title=title, description=description, height_px=bottom + 24)
