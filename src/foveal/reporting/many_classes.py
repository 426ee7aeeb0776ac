"""What stands for a row a class where the rows would fill pages.

Beyond ``MANY_CLASSES`` a figure shows how the classes are spread, names the weakest, and leaves
the rest to the table below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from foveal.draw.numbers import percent
from foveal.reporting.figures import draw_bars, name_gutter
from foveal.reporting.numbers import count
from foveal.reporting.tables import Drawing, Table

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
    first = next((place for place, (_, number) in enumerate(filled) if number), 0)
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
