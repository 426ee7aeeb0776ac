"""The marks that figures share: an estimate with its interval, a reference."""

from __future__ import annotations

from typing import Literal

from foveal.draw.svg import Scale, element
from foveal.evaluation.evidence import Interval

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
    # A nested SVG gives the diamond its own origin at a place given in per cent.
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
