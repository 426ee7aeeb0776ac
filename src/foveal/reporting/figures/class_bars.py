"""How many images each class has."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, name_label, words
from foveal.reporting.numbers import count


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
