"""Numbers as a reader meets them; the same in HTML, in text and on the model card."""

from __future__ import annotations

from foveal.draw.numbers import MISSING, percent, percent_span
from foveal.evaluation.evidence import Interval
from foveal.evaluation.metrics import HeadlineMetric


def points(value: float | None) -> str:
    """Returns a difference of two fractions in percentage points, always signed.

    >>> points(0.031), points(-0.004), points(0.0)
    ('+3.1 points', '−0.4 points', '0.0 points')
    """
    if value is None:
        return MISSING
    return f"{_signed(value)} points"


def points_range(interval: Interval) -> str:
    """Returns the interval of a difference.

    >>> points_range(Interval(0.03, -0.01, 0.062))
    '−1.0 to +6.2'
    """
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{_signed(interval.low)} to {_signed(interval.high)}"


def percent_range(interval: Interval, *, digits: int = 1) -> str:
    """Returns the interval's ends in per cent.

    >>> percent_range(Interval(0.842, 0.809, 0.873)), percent_range(Interval(1.0, None, None))
    ('80.9–87.3%', 'no interval')
    """
    if interval.low is None or interval.high is None:
        return "no interval"
    return percent_span(interval.low, interval.high, digits=digits, joint="–")


def area(value: float | None, *, digits: int = 3) -> str:
    """Returns an area under a curve, a cosine or a probability-like figure.

    >>> area(0.9432)
    '0.943'
    """
    return MISSING if value is None else f"{value:.{digits}f}"


def area_range(interval: Interval, *, digits: int = 3) -> str:
    """Returns the interval's ends."""
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{interval.low:.{digits}f}–{interval.high:.{digits}f}"


def metric_value(metric: HeadlineMetric, value: float | None) -> str:
    """Returns a value of a headline metric in its unit."""
    if metric.unit == "share":
        return percent(value, digits=metric.digits)
    return area(value, digits=metric.digits)


def metric_range(metric: HeadlineMetric, interval: Interval) -> str:
    """Returns the ends of a headline metric's interval in its unit."""
    if metric.unit == "share":
        return percent_range(interval, digits=metric.digits)
    return area_range(interval, digits=metric.digits)


def seconds(value: float) -> str:
    """Returns a duration in the unit that suits it.

    >>> seconds(0.042), seconds(8.31), seconds(134.0), seconds(7260.0)
    ('0.04 s', '8.3 s', '2 min 14 s', '2 h 1 min')
    """
    if value < 0.995:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(value: int) -> str:
    """Returns a count with thousands separated.

    >>> count(2624)
    '2,624'
    """
    return f"{value:,}"


def _signed(value: float) -> str:
    rounded = round(100 * value, 1)
    if rounded == 0:
        return "0.0"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"
