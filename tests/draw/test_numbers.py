from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import foveal
from foveal.draw.numbers import percent, percent_span

SOURCE = Path(foveal.__file__).parent
# A share written by a format of its own: f"{share:.0%}", f"{100 * share:.1f}%".
_OWN_FORMAT = re.compile(r"\{[^{}\n]*:\.?\d?%\}|\{100 \* [^{}\n]*:\.\df\}%")
# Axis ticks are whole by construction, and lessons show the formats they teach.
_EXEMPT = (
    "learn/",
    "reporting/sections/calibration.py",
    "reporting/sections/learning_curve.py",
    "draw/svg.py",
    "shortcuts/border.py",
)


@pytest.mark.parametrize(
    ("share", "short", "long"),
    [
        (1.0, "100%", "100.0%"),
        (0.9999999, ">99.9%", ">99.9%"),
        (0.9998, ">99.9%", ">99.9%"),
        (0.9962, "99.6%", "99.6%"),
        (0.42, "42%", "42.0%"),
        (0.004, "0.4%", "0.4%"),
        (0.0004, "<0.1%", "<0.1%"),
        (0.0, "0%", "0.0%"),
        (-0.0, "0%", "0.0%"),
        (None, "n/a", "n/a"),
        (float("nan"), "n/a", "n/a"),
    ],
)
def test_a_share_reads_alike_near_none_and_all(share: float | None, short: str, long: str) -> None:
    assert (percent(share), percent(share, digits=1)) == (short, long)


@given(st.floats(0, 1), st.integers(0, 4))
def test_only_all_reads_as_all_and_only_none_as_none(share: float, digits: int) -> None:
    text = percent(share, digits=digits)
    told = None if text[0] in "<>" else float(text.removesuffix("%"))
    assert (told == 100.0) == (share == 1.0)
    assert (told == 0.0) == (share == 0.0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_ends_of_an_interval_keep_the_rule(low: float, high: float) -> None:
    for end, share in zip(percent_span(low, high).split(" to "), (low, high), strict=True):
        assert (end.removesuffix("%") == "100.0") is False or share == 1.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_never_reads_as_a_smaller_one(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert _told(percent(low)) <= _told(percent(high))


def test_every_share_in_the_source_is_written_by_percent() -> None:
    own = [
        f"{path.relative_to(SOURCE)}: {found.group()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.relative_to(SOURCE).as_posix().startswith((*_EXEMPT, "draw/numbers.py"))
        for found in _OWN_FORMAT.finditer(path.read_text(encoding="utf-8"))
    ]
    assert own == []


def test_percent_is_defined_once() -> None:
    definitions = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        if re.search(r"^def _?percent\(", path.read_text(encoding="utf-8"), re.M)
    ]
    assert definitions == ["draw/numbers.py"]


def _told(text: str) -> float:
    number = float(text.strip("<>%"))
    return number - 0.05 if text[0] == "<" else number + 0.05 if text[0] == ">" else number
