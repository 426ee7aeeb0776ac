"""Writing SVG: elements with escaped attributes, and the scale from values to positions.

Every figure is as wide as what it stands in and has a fixed height: x is written in per cent, y in
pixels. So text keeps its size on a telephone and on paper, without a script. Labels outside
the plot are drawn outside the SVG, in padding that the style sheet keeps free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from foveal.draw.text_layout import display_width, shorten_middle
from foveal.text import printable

WIDE_LABEL_COLUMNS = 22
NARROW_LABEL_COLUMNS = 12

Value = str | float | int


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from ``[low, high]`` to ``[start, end]``.

    >>> Scale(0.0, 1.0)(0.25), Scale(0.5, 1.0, 200.0, 0.0)(0.75)
    (25.0, 100.0)
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def __call__(self, value: float) -> float:
        """Returns the position of ``value``, kept inside the range."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def x(self, value: float) -> str:
        """Returns the position of ``value`` as a percentage of the width."""
        return f"{number(self(value))}%"


def number(value: float) -> str:
    """Returns a coordinate, short.

    >>> number(25.0), number(33.33333)
    ('25', '33.333')
    """
    return f"{value:.3f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def element(tag: str, *children: str, **attributes: Value) -> str:
    """Returns one element; ``class_`` becomes ``class`` and ``text_anchor`` ``text-anchor``.

    Children are finished markup; attributes are escaped here.

    >>> element("line", x1="0%", class_="axis")
    '<line x1="0%" class="axis"/>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_plain(value), quote=True)}"'
        for name, value in attributes.items()
    )
    if not children:
        return f"<{tag}{written}/>"
    return f"<{tag}{written}>{''.join(children)}</{tag}>"


def words(content: str, **attributes: Value) -> str:
    """Returns a text element; ``content`` may be hostile."""
    return element("text", escape(printable(content)), **attributes)


def figure(children: Iterable[str], *, title: str, description: str, height_px: float) -> str:
    """Returns the whole SVG with its name and description for those who do not see it."""
    return element(
        "svg",
        element("title", escape(printable(title))),
        element("desc", escape(printable(description))),
        *children,
        class_="drawing",
        role="img",
        aria_label=printable(title),
        width="100%",
        height=height_px,
    )


def name_gutter(names: Iterable[str]) -> str:
    """Returns how much room the names need on the left: ``short``, ``medium`` or ``long``.

    >>> name_gutter(["no", "yes"]), name_gutter(["functional, cracked and broken"])
    ('short', 'long')
    """
    longest = max((display_width(printable(name)) for name in names), default=0)
    if longest <= 10:
        return "short"
    return "medium" if longest <= 15 else "long"


def name_label(name: str, *, y: float, detail: str = "") -> str:
    """Returns a row's name in the left gutter, shortened, with the full one as a tooltip."""
    full = printable(name)
    return element(
        "g",
        element("title", escape(f"{full}{detail}")),
        *(
            words(
                shorten_middle(full, columns),
                class_=f"label {kind}",
                x=0,
                dx=-10,
                y=y,
                text_anchor="end",
            )
            for kind, columns in (("wide", WIDE_LABEL_COLUMNS), ("narrow", NARROW_LABEL_COLUMNS))
        ),
    )


def grid(scale: Scale, ticks: Iterable[float], *, top: float, bottom: float) -> str:
    """Returns vertical grid lines with their values in per cent underneath."""
    parts = []
    for tick in ticks:
        anchor = "middle"
        if scale(tick) <= scale.start:
            anchor = "start"
        elif scale(tick) >= scale.end:
            anchor = "end"
        x = scale.x(tick)
        parts.append(element("line", class_="grid", x1=x, x2=x, y1=top, y2=bottom))
        parts.append(
            words(f"{100 * tick:.0f}%", class_="tick", x=x, y=bottom + 16, text_anchor=anchor)
        )
    return "".join(parts)


def nice_ticks(low: float, high: float, *, most: int = 6) -> tuple[float, ...]:
    """Returns round values that enclose ``[low, high]``, fractions of one, at most ``most``.

    >>> nice_ticks(0.71, 0.88)
    (0.7, 0.75, 0.8, 0.85, 0.9)
    """
    for step in (1, 2, 5, 10, 20, 25, 50, 100):
        first = int(max(0.0, low) * 100 // step) * step
        last = -int(-min(1.0, high) * 100 // step) * step
        last = max(last, first + step)
        if (last - first) // step < most:
            break
    return tuple(tick / 100 for tick in range(first, last + 1, step))


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else number(float(value))
