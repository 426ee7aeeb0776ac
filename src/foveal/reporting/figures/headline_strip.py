"""The headline: every figure with its interval on one axis, beside a constant answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.svg import Scale, element, figure, grid, words
from foveal.evaluation.evidence import Interval
from foveal.reporting.figures.marks import interval_mark, track

ROW_PX = 50.0
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """One figure of the strip; ``constant`` is what a constant answer would score."""

    name: str
    interval: Interval
    text: str
    constant: float | None


def draw_headline_strip(rows: Sequence[HeadlineRow], *, constant_name: str) -> str:
    """Returns the strip: dot and interval a row, the constant answer as a dashed tick."""
    scale = Scale(0.0, 1.0)
    bottom = ROW_PX * len(rows)
    parts = [grid(scale, TICKS, top=0, bottom=bottom)]
    for index, row in enumerate(rows):
        base = ROW_PX * index
        y = base + 33
        parts.append(words(row.name, class_="row-name halo", x=0, y=base + 17))
        parts.append(
            words(row.text, class_="row-value halo", x="100%", y=base + 17, text_anchor="end")
        )
        parts.append(track(y=y))
        if row.constant is not None:
            x = scale.x(row.constant)
            parts.append(element("line", class_="constant", x1=x, x2=x, y1=y - 9, y2=y + 9))
        parts.append(interval_mark(row.interval, scale, y=y))
    description = "; ".join(f"{row.name} {row.text}" for row in rows)
    return figure(
        parts,
        title="Headline figures with 95% intervals",
        description=f"{description}. The upright tick is what always answering "
        f"{constant_name} would score.",
        height_px=bottom + 24,
    )
