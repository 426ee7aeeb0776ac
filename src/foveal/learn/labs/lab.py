"""What a lab is: a question to guess at, an experiment, and what it measured on this machine.

A lab never pretends: what it says follows from the intervals that it measured, and an effect
that does not show is reported as not shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveal.evaluation.evidence import Interval

if TYPE_CHECKING:
    from torch import nn

Progress = Callable[[int, int], None]
Finding = Literal["shown", "not shown", "reversed"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run a lab.

    Attributes:
        num_seeds: Repetitions; every interval is over them.
        seed: The first seed; the others follow.
        is_small: Whether to run at the size of a test: seconds, wide intervals.
        model: The learner's own network, where the lab takes one.
        model_name: What it is called.
        input_shape: (C, H, W) that it is made for, as far as that is known.
        data: The learner's own folder of images, where the lab takes one; an image for labs
            that look at one.
        progress: Called with (done, total).
    """

    num_seeds: int = 5
    seed: int = 0
    is_small: bool = False
    model: nn.Module | None = None
    model_name: str = ""
    input_shape: tuple[int, int, int] | None = None
    data: Path | None = None
    progress: Progress = lambda done, total: None

    @property
    def seeds(self) -> range:
        """The seeds of the repetitions."""
        return range(self.seed, self.seed + self.num_seeds)


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value at ``x`` (a position on the axis, or the name of a bar)."""

    x: float | str
    value: Interval


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, such as one kind of network."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as data: lines over numbers, or bars over names.

    Attributes:
        title: What it shows.
        x_label, y_label: With units.
        series: One colour each.
        is_log_y: Whether the values span powers of ten.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    is_log_y: bool = False


@dataclass(frozen=True, slots=True)
class LabPicture:
    """A picture that the lab made or looked at.

    Attributes:
        caption: What it is, in a few words.
        description: What it shows, for those who do not see it.
        data_uri: A PNG, small.
    """

    caption: str
    description: str
    data_uri: str


@dataclass(frozen=True, slots=True)
class LabResult:
    """What one run of a lab measured.

    Attributes:
        header: Names of the table's columns.
        rows: Finished texts, intervals included.
        chart: The same as a figure.
        finding: Whether the effect that the topic teaches shows here.
        sentence: What was measured, in one or two sentences with its figures.
        answer: Key of the choice that the measurement supports; empty where none is.
        notes: What limits the measurement.
        pictures: Of one repetition, where there is something to look at.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chart: Chart | None
    finding: Finding
    sentence: str
    answer: str
    notes: tuple[str, ...] = ()
    pictures: tuple[LabPicture, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Lab:
    """One experiment.

    Attributes:
        name: For ``foveal lab NAME``.
        title: What it is about, in a few words.
        topics: Numbers of the topics that it shows.
        question: What the learner commits to before anything runs.
        choices: Pairs of key and text.
        explanation: Why it comes out as it does, and what people get wrong.
        run: The experiment.
        seconds: About how long it takes on two cores.
        takes_model, takes_data: Whether a network or a folder of the learner's can be given.
    """

    name: str
    title: str
    topics: tuple[int, ...]
    question: str
    choices: tuple[tuple[str, str], ...]
    explanation: str
    run: Callable[[Settings], LabResult]
    seconds: int
    takes_model: bool = False
    takes_data: bool = False


# Two-sided 95% points of Student's t by degrees of freedom, from 1 on (NIST/SEMATECH
# e-Handbook of Statistical Methods, table 1.3.6.7.2).
_STUDENT_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
_NORMAL = 1.960


def mean_interval(values: Sequence[float]) -> Interval:
    """Returns the mean over seeds with its 95% interval by Student's t.

    One value alone has no interval.

    >>> one = mean_interval([1.0, 2.0, 3.0])
    >>> round(one.estimate, 3), round(one.low, 3), round(one.high, 3)
    (2.0, -0.484, 4.484)
    """
    number = len(values)
    mean = math.fsum(values) / number
    if number < 2:
        return Interval(mean, None, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (number - 1)
    factor = _STUDENT_T[number - 2] if number - 2 < len(_STUDENT_T) else _NORMAL
    half = factor * math.sqrt(variance / number)
    return Interval(mean, mean - half, mean + half)


def difference_interval(over: Sequence[float], under: Sequence[float]) -> Interval:
    """Returns the mean difference of pairs with its 95% interval.

    >>> difference_interval([3.0, 4.0], [1.0, 2.0])
    Interval(estimate=2.0, low=2.0, high=2.0)
    """
    return mean_interval([a - b for a, b in zip(over, under, strict=True)])


def ratio_interval(over: Sequence[float], under: Sequence[float]) -> Interval:
    """Returns the geometric mean of ratios of pairs, with its 95% interval on the logarithm.

    >>> ratio_interval([2.0, 2.0], [1.0, 1.0])
    Interval(estimate=2.0, low=2.0, high=2.0)
    """
    logs = mean_interval([math.log(a / b) for a, b in zip(over, under, strict=True)])
    ends = (logs.estimate, logs.low, logs.high)
    return Interval(*(None if end is None else round(math.exp(end), 12) for end in ends))


def find(difference: Interval) -> Finding:
    """Returns whether a difference that the topic says is positive shows here.

    >>> find(Interval(1.0, 0.2, 1.8)), find(Interval(1.0, -0.2, 2.2)), find(Interval(-1, -2, -0.5))
    ('shown', 'not shown', 'reversed')
    """
    if difference.low is not None and difference.low > 0:
        return "shown"
    if difference.high is not None and difference.high < 0:
        return "reversed"
    return "not shown"


def spoken(interval: Interval, *, digits: int = 3, unit: str = "") -> str:
    """Returns the estimate with its interval, as a table's cell.

    >>> spoken(Interval(0.51234, 0.4, 0.61), digits=2, unit=" s"), spoken(Interval(2.0, None, None))
    ('0.51 s (0.40 to 0.61)', '2.000')
    """
    if interval.estimate is None:
        return "undefined"
    if interval.estimate == interval.low == interval.high == 0:
        return f"exactly 0{unit}"
    text = f"{interval.estimate:.{digits}f}{unit}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"
