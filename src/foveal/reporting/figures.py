"""Figures with their numbers: the marks that they share, rows of intervals, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, grid, name_gutter, name_label, words
from foveal.evaluation.evidence import Interval
from foveal.reporting.numbers import count


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and a second, quieter one such as an interval."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows; the first column names the row.

    Attributes:
        caption: What the table holds, as a phrase.
        header: One text a column.
        rows: As long as the header each.
        num_text_columns: How many leading columns hold words, aligned left.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    num_text_columns: int = 1

    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """Returns the rows with every text made a cell."""
        return tuple(
            tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row)
            for row in self.rows
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with what to see in it and its numbers.

    Attributes:
        svg: Markup from ``foveal.reporting.figures``.
        caption: What to see, in a sentence or two.
        table: The numbers drawn.
        gutter: Where labels stand outside the plot: ``"name"`` (left) or ``"bar"`` (names
            left, values right) with how much room the names need, ``"tick"`` (left, narrow)
            or ``"none"``.
        legend: Pairs of a mark's CSS class and what it stands for.
    """

    svg: str
    caption: str
    table: Table
    gutter: str = "none"
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with a figure, or why there is none."""

    sentence: str
    drawing: Drawing | None


Series = Literal["a", "b"]


def interval_mark(interval: Interval, scale: Scale, *, y: float, series: Series = "a") -> str:
    """Returns a bar from ``low`` to ``high`` and a dot (``a``) or diamond (``b``) on it.

    An estimate without an interval is drawn hollow; without an estimate nothing is drawn.
    """
    if interval.estimate is None:
        return ""
    bar = ""
    kind = "hollow"
    if interval.low is not None and interval.high is not None:
        kind = "solid"
        bar = element(
            "line",
            class_=f"interval {series}",
            x1=scale.x(interval.low),
            x2=scale.x(interval.high),
            y1=y,
            y2=y,
        )
    return bar + point_mark(interval.estimate, scale, y=y, series=series, kind=kind)


def point_mark(
    value: float, scale: Scale, *, y: float, series: Series = "a", kind: str = "solid"
) -> str:
    """Returns the dot (``a``) or diamond (``b``) alone."""
    if series == "a":
        return element("circle", class_=f"mark a {kind}", cx=scale.x(value), cy=y, r=5)
    # A nested SVG gives the diamond its own origin at a position given in per cent.
    return element(
        "svg",
        element("path", class_=f"mark b {kind}", d="M0 -6L6 0L0 6L-6 0Z"),
        class_="origin",
        x=scale.x(value),
        y=y,
        width=1,
        height=1,
    )


def reference_mark(value: float, scale: Scale, *, top: float, bottom: float) -> str:
    """Returns the upright dashed line that something is to be compared with."""
    x = scale.x(value)
    return element("line", class_="reference", x1=x, x2=x, y1=top, y2=bottom)


def track(*, y: float) -> str:
    """Returns the faint line that a row's marks stand on."""
    return element("line", class_="track", x1="0%", x2="100%", y1=y, y2=y)


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


def draw_bars(
    names: Sequence[str], counts: Sequence[int], *, title: str, of: str = "images"
) -> str:
    """Returns one bar a name, its length in proportion to the count, the longest full width."""
    row_px = 30.0 if len(names) <= 12 else 22.0
    scale = Scale(0.0, float(max([*counts, 1])))
    total = max(1, sum(counts))
    parts = []
    for index, (name, value) in enumerate(zip(names, counts, strict=True)):
        y = row_px * index
        parts.append(name_label(name, y=y + row_px / 2 + 4))
        parts.append(
            element(
                "rect",
                class_="bar",
                x=0,
                y=y + 4,
                width=scale.x(value),
                height=row_px - 8,
            )
        )
        parts.append(
            words(
                f"{count(value)} · {percent(value / total)}",
                class_="value",
                x="100%",
                dx=8,
                y=y + row_px / 2 + 4,
            )
        )
    named = "; ".join(f"{n}: {c}" for n, c in list(zip(names, counts, strict=True))[:12])
    return figure(
        parts,
        title=title,
        description=f"{named} {of}" + ("; and more." if len(names) > 12 else "."),
        height_px=row_px * len(names) + 4,
    )


# Beyond this a figure shows how the classes are spread, names the weakest, and leaves the rest to
# the table below it: a row a class would fill pages.
MANY_CLASSES = 30
NUM_WEAKEST = 12

Binned = tuple[tuple[str, ...], tuple[int, ...]]


def are_many(classes: Sequence[object]) -> bool:
    """Returns whether a row a class would be more than anybody reads."""
    return len(classes) > MANY_CLASSES


def bin_rates(rates: Sequence[float | None]) -> Binned:
    """Returns ten bins of equal width, and how many rates fall into each; 1 is in the last.

    >>> labels, counts = bin_rates([0.0, 0.04, 0.1, 1.0, None])
    >>> labels[0], labels[-2:], counts
    ('0–10%', ('90–100%', 'undefined'), (2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1))
    """
    counts = [0] * 10
    for rate in rates:
        if rate is not None:
            counts[min(9, int(10 * rate + 1e-9))] += 1
    labels = [f"{10 * k}–{10 * k + 10}%" for k in range(10)]
    missing = sum(rate is None for rate in rates)
    if missing:
        return (*labels, "undefined"), (*counts, missing)
    return tuple(labels), tuple(counts)


def bin_counts(values: Sequence[int]) -> Binned:
    """Returns bins that double in width, from the smallest value to the largest.

    >>> bin_counts([1, 1, 3, 4, 9])
    (('1', '2–3', '4–7', '8–15'), (2, 1, 1, 1))
    >>> bin_counts([0, 5])
    (('0', '1', '2–3', '4–7'), (1, 0, 0, 1))
    """
    edges = [0, *(2**power for power in range(max([*values, 1]).bit_length() + 1))]
    bins = [
        (str(low) if high - low == 1 else f"{low:,}–{high - 1:,}", low, high)
        for low, high in pairwise(edges)
    ]
    filled = [(label, sum(low <= value < high for value in values)) for label, low, high in bins]
    first = next((index for index, (_, number) in enumerate(filled) if number), 0)
    return (
        tuple(label for label, _ in filled[first:]),
        tuple(number for _, number in filled[first:]),
    )


def spread_drawing(
    binned: Binned, *, title: str, caption: str, of: str, table: Table | None = None
) -> Drawing:
    """Returns a bar a bin. ``of`` is what is counted; ``table`` holds the rows left out."""
    labels, counts = binned
    total = max(1, sum(counts))
    return Drawing(
        svg=draw_bars(labels, counts, title=title, of=of),
        caption=caption,
        table=table
        or Table(
            title,
            ("", of.capitalize(), "Share"),
            tuple(
                (label, count(number), percent(number / total, digits=1))
                for label, number in zip(labels, counts, strict=True)
            ),
        ),
        gutter=f"bar {name_gutter(labels)}",
    )
