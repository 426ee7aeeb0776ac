"""A lab's chart as SVG and as text; both are drawn from the same values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from foveal.draw.svg import Scale, element, figure, number, words
from foveal.draw.text_layout import display_width, pad
from foveal.learn.labs.lab import Chart, Point, Series

_PLOT_PX = 240.0
_ROW_PX = 26.0
_BAR_COLUMNS = 30
_MARKS = ("a", "b")


def describe_chart(chart: Chart) -> str:
    """Returns the chart in words, for those who do not see it: every value."""
    told = "; ".join(
        f"{series.name}: "
        + ", ".join(f"{_name(point)} {_short(point.value.estimate)}" for point in series.points)
        for series in chart.series
    )
    return f"{chart.y_label} by {chart.x_label}. {told}."


def draw_chart(chart: Chart) -> str:
    """Returns lines over numbers, or bars over names, as SVG."""
    drawn = _draw_bars(chart) if _has_names(chart) else _draw_lines(chart)
    parts, height_px = drawn
    return figure(parts, title=chart.title, description=describe_chart(chart), height_px=height_px)


def draw_text(chart: Chart, *, columns: int = 78) -> str:
    """Returns a bar of ``#`` a value, at most ``columns`` wide."""
    rows = [(series.name, point) for series in chart.series for point in series.points]
    several = len(chart.series) > 1
    names = [f"{series}  {_name(point)}" if several else _name(point) for series, point in rows]
    width = max(display_width(name) for name in names)
    scale = _value_scale(chart, 0.0, float(min(_BAR_COLUMNS, columns - width - 14)))
    lines = [f"{chart.y_label}, by {chart.x_label}"]
    for name, (_, point) in zip(names, rows, strict=True):
        start, end = _bar_ends(chart, point, scale)
        bar = "#" * (max(1, round(end - start)) if point.value.estimate else 0)
        lines.append(f"{pad(name, width)}  {_short(point.value.estimate):>9}  {bar}".rstrip())
    return "\n".join(lines)


def _draw_bars(chart: Chart) -> tuple[list[str], float]:
    scale = _value_scale(chart, 0.0, 100.0)
    parts, y = [], 0.0
    for index, series in enumerate(chart.series):
        mark = _MARKS[index % len(_MARKS)]
        for point in series.points:
            name = f"{series.name}, {_name(point)}" if len(chart.series) > 1 else _name(point)
            parts.append(words(name, class_="tick", x=0, y=y + 12))
            start, end = _bar_ends(chart, point, scale)
            parts.append(
                element(
                    "rect",
                    class_=f"bar {mark}",
                    x=f"{number(start)}%",
                    y=y + 17,
                    width=f"{number(end - start)}%",
                    height=7,
                )
            )
            parts.append(_whisker(chart, point, scale, y=y + 20.5, mark=mark))
            parts.append(
                words(
                    _short(point.value.estimate),
                    class_="value",
                    x="100%",
                    y=y + 12,
                    text_anchor="end",
                )
            )
            y += _ROW_PX + 8
    return parts, y + 4


def _bar_ends(chart: Chart, point: Point, scale: Scale) -> tuple[float, float]:
    """Returns where a bar begins and ends: at zero, which need not be the axis's end."""
    zero = scale.start if chart.is_log_y else scale(0.0)
    end = scale(_axis_value(chart, point.value.estimate))
    return min(zero, end), max(zero, end)


def _whisker(chart: Chart, point: Point, scale: Scale, *, y: float, mark: str) -> str:
    low, high = point.value.low, point.value.high
    if low is None or high is None:
        return ""
    x1, x2 = (scale.x(_axis_value(chart, value)) for value in (low, high))
    return element("line", class_=f"interval {mark}", x1=x1, x2=x2, y1=y, y2=y)


def _draw_lines(chart: Chart) -> tuple[list[str], float]:
    positions = [float(point.x) for series in chart.series for point in series.points]
    low, high = min(positions), max(positions)
    margin = 0.04 * (high - low) or 1.0
    across = Scale(low - margin, high + margin)
    up = _value_scale(chart, _PLOT_PX, 8.0)
    parts = []
    for tick in _ticks(chart):
        y = up(_axis_value(chart, tick))
        parts.append(element("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        parts.append(words(_short(tick), class_="tick", x=0, dx=-8, y=y + 4, text_anchor="end"))
    parts += [
        words(
            _short(position),
            class_="tick",
            x=across.x(position),
            y=_PLOT_PX + 18,
            text_anchor="middle",
        )
        for position in sorted(set(positions))
    ]
    for index, series in enumerate(chart.series):
        parts += _draw_series(chart, series, across, up, mark=_MARKS[index % len(_MARKS)])
    return parts, _PLOT_PX + 26


def _draw_series(chart: Chart, series: Series, across: Scale, up: Scale, *, mark: str) -> list[str]:
    parts = []
    drawn = [
        (across.x(float(one.x)), one) for one in series.points if one.value.estimate is not None
    ]
    for (x1, one), (x2, other) in pairwise(drawn):
        y1, y2 = (up(_axis_value(chart, point.value.estimate)) for point in (one, other))
        parts.append(element("line", class_=f"path {mark}", x1=x1, y1=y1, x2=x2, y2=y2))
    for x, point in drawn:
        if point.value.low is not None and point.value.high is not None:
            y1, y2 = (
                up(_axis_value(chart, value)) for value in (point.value.low, point.value.high)
            )
            parts.append(element("line", class_=f"interval {mark}", x1=x, x2=x, y1=y1, y2=y2))
        y = up(_axis_value(chart, point.value.estimate))
        parts.append(element("circle", class_=f"mark {mark} solid", cx=x, cy=y, r=5))
    return parts


def _value_scale(chart: Chart, start: float, end: float) -> Scale:
    ticks = _ticks(chart)
    return Scale(_axis_value(chart, ticks[0]), _axis_value(chart, ticks[-1]), start, end)


def _ticks(chart: Chart) -> Sequence[float]:
    values = [
        value
        for series in chart.series
        for point in series.points
        for value in (point.value.low, point.value.estimate, point.value.high)
        if value is not None and math.isfinite(value)
    ]
    if chart.is_log_y:
        positive = [value for value in values if value > 0] or [1.0]
        first = math.floor(math.log10(min(positive)))
        last = max(first + 1, math.ceil(math.log10(max(positive))))
        stride = max(1, (last - first) // 5)
        return [10.0**power for power in range(first, last + stride, stride)]
    low, high = min([0.0, *values]), max([0.0, *values]) or 1.0
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= 6:
            step *= factor
            break
    steps = range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)
    return [step * position for position in steps]


def _axis_value(chart: Chart, value: float | None) -> float:
    """Returns where a value stands on the axis; on a logarithmic one, zero is at its foot."""
    if value is None:
        return 0.0
    if not chart.is_log_y:
        return value
    return math.log10(value) if value > 0 else -300.0


def _has_names(chart: Chart) -> bool:
    return any(isinstance(point.x, str) for series in chart.series for point in series.points)


def _name(point: Point) -> str:
    return point.x if isinstance(point.x, str) else _short(point.x)


def _short(value: float | None) -> str:
    """Returns a number with three digits that matter.

    >>> _short(0.0), _short(0.123456), _short(1234567.0), _short(2e-7)
    ('0', '0.123', '1,234,567', '2.0e-07')
    """
    if value is None:
        return "n/a"
    if value == 0 or float(value).is_integer():
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
