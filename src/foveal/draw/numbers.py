"""Shares, counts and sizes, written one way in reports, sentences, tables and verdicts."""

from __future__ import annotations

import math

MISSING = "n/a"
UNKNOWN = "?"


def percent(share: float | None, *, digits: int = 0) -> str:
    """Returns a share as per cent: never "100%" for less than all, nor "0%" for more than none.

    Args:
        share: From 0 to 1; None or NaN where it is unknown.
        digits: Decimals. Of 0 decimals, shares within 1% of none or all still get one: there
            the difference between 99.2% and 99.8% is what a reader asks for.

    >>> [percent(share) for share in (0.0, 0.0004, 0.004, 0.4231, 0.9962, 0.9998, 1.0)]
    ['0%', '<0.1%', '0.4%', '42%', '99.6%', '>99.9%', '100%']
    >>> percent(0.4231, digits=1), percent(1.0, digits=1), percent(None)
    ('42.3%', '100.0%', 'n/a')
    """
    if share is None or math.isnan(share):
        return MISSING
    if digits == 0 and (0.0 < share < 0.01 or 0.99 < share < 1.0):
        digits = 1
    text = f"{100 * share + 0.0:.{digits}f}"
    step = 10.0**-digits
    if share < 1.0 and float(text) == 100.0:
        return f">{100 - step:.{digits}f}%"
    if share > 0.0 and float(text) == 0.0:
        return f"<{step:.{digits}f}%"
    return f"{text}%"


def percent_span(low: float, high: float, *, digits: int = 0, joint: str = " to ") -> str:
    """Returns the two ends of an interval of shares in per cent.

    >>> percent_span(0.842, 0.873), percent_span(0.842, 0.873, digits=1, joint="–")
    ('84 to 87%', '84.2–87.3%')
    >>> percent_span(0.981, 0.9998, digits=1, joint="–")
    '98.1% to >99.9%'
    """
    first, last = percent(low, digits=digits), percent(high, digits=digits)
    if first[0] in "<>" or last[0] in "<>":
        return f"{first} to {last}"
    return f"{first.removesuffix('%')}{joint}{last}"


def short_count(value: int | None) -> str:
    """Returns a count in at most five characters.

    >>> short_count(0), short_count(640), short_count(9536), short_count(118013952)
    ('0', '640', '9.54k', '118M')
    >>> short_count(999_950), short_count(1814073344)
    ('1.00M', '1.81G')
    """
    if value is None:
        return UNKNOWN
    if value < 1000:
        return str(value)
    size = float(value)
    for unit in ("", "k", "M", "G", "T", "P"):
        digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
        if size < 999.5:
            return f"{size:.{digits}f}{unit}"
        size /= 1000
    return f"{value:.0e}"


def signed_points(share: float | None) -> str:
    """Returns a difference of two shares in percentage points, with its sign.

    >>> signed_points(0.031), signed_points(-0.2), signed_points(-0.0001), signed_points(None)
    ('+3.1', '-20.0', '0.0', 'unknown')
    """
    if share is None:
        return "unknown"
    text = f"{100 * share:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text


def short_bytes(value: int | None) -> str:
    """Returns a size with its decimal unit.

    >>> short_bytes(512), short_bytes(3_211_264), short_bytes(0)
    ('512 B', '3.21 MB', '0 B')
    """
    text = short_count(value)
    if value is None:
        return text
    number, unit = (text, "") if text[-1].isdigit() else (text[:-1], text[-1])
    return f"{number} {unit}B"
