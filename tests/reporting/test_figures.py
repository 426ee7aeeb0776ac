from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.draw.svg import Scale, nice_ticks
from foveal.evaluation.evidence import CurvePoint, Interval, LearningCurve, ReliabilityBin
from foveal.evaluation.metrics import HEADLINE_METRICS
from foveal.reporting.figures import ClassRow, draw_bars, draw_class_intervals
from foveal.reporting.sections.calibration import density, draw_reliability
from foveal.reporting.sections.classes import draw_confusion_map, shade_index
from foveal.reporting.sections.headline import HeadlineRow, draw_headline_strip
from foveal.reporting.sections.leak import draw_leak
from foveal.reporting.sections.learning_curve import draw_learning_curve

rates = st.floats(0, 1)


def drawn(svg: str, kind: str) -> list[ET.Element]:
    """The elements with a class, in order."""
    return [
        element
        for element in ET.fromstring(svg).iter()
        if set(kind.split()) <= set(element.get("class", "").split())
    ]


def place(element: ET.Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


def strip(interval: Interval, constant: float = 0.5) -> str:
    return draw_headline_strip(
        [HeadlineRow(HEADLINE_METRICS[0], interval, constant)], constant_name="a"
    )


@given(low=rates, estimate=rates, high=rates, constant=rates)
def test_the_interval_maps_linearly_onto_the_width(
    low: float, estimate: float, high: float, constant: float
) -> None:
    svg = strip(Interval(estimate, low, high), constant)
    (bar,) = drawn(svg, "interval")
    (dot,) = drawn(svg, "mark")
    (tick,) = drawn(svg, "constant")
    assert place(bar, "x1") == pytest.approx(100 * low, abs=1e-3)
    assert place(bar, "x2") == pytest.approx(100 * high, abs=1e-3)
    assert place(dot, "cx") == pytest.approx(100 * estimate, abs=1e-3)
    assert place(tick, "x1") == pytest.approx(100 * constant, abs=1e-3)


def test_an_estimate_without_interval_is_hollow() -> None:
    svg = strip(Interval(0.7, None, None))
    assert drawn(svg, "interval") == []
    assert len(drawn(svg, "mark hollow")) == 1


def test_an_undefined_figure_is_not_drawn() -> None:
    assert drawn(strip(Interval(None, None, None)), "mark") == []


def test_bars_are_in_proportion_to_their_counts() -> None:
    bars = drawn(draw_bars(["a", "b", "c"], [50, 200, 0], title="t"), "bar")
    assert [place(bar, "width") for bar in bars] == [25.0, 100.0, 0.0]


def test_bars_of_nothing_have_no_length() -> None:
    bars = drawn(draw_bars(["a"], [0], title="t"), "bar")
    assert [place(bar, "width") for bar in bars] == [0.0]


def test_rows_of_classes_do_not_overlap() -> None:
    rows = [ClassRow(f"c{k}", Interval(0.5, 0.4, 0.6), Interval(0.5, 0.4, 0.6)) for k in range(30)]
    svg = draw_class_intervals(rows, title="t", description="d")
    heights = [place(bar, "y1") for bar in drawn(svg, "interval")]
    assert heights == sorted(heights)
    assert min(b - a for a, b in pairwise(heights)) >= 10


def test_long_labels_are_shortened_and_kept_whole_as_tooltip() -> None:
    name = "a very long class name that goes on and on 7"
    svg = draw_class_intervals([ClassRow(name, Interval(0, 0, 1))], title="t", description="d")
    (wide,) = drawn(svg, "label wide")
    assert wide.text is not None
    assert len(wide.text) <= 22
    assert wide.text.endswith("7")
    titles = [e.text for e in ET.fromstring(svg).iter() if e.tag == "title"]
    assert name in titles


def test_the_confusion_map_has_one_square_a_pair_that_occurs() -> None:
    svg = draw_confusion_map([[3, 1, 0], [0, 4, 0], [0, 0, 0]], ["a", "b", "c"])
    cells = drawn(svg, "cell")
    assert [text.text for text in drawn(svg, "count")] == ["3", "1", "4", "0"]
    assert [round(place(cell, "x"), 1) for cell in cells] == [0.0, 33.3, 33.3, 66.7]
    assert len(drawn(svg, "diagonal")) == 3


@given(value=st.integers(0, 1000), total=st.integers(0, 1000))
def test_shades_follow_the_share_of_the_row(value: int, total: int) -> None:
    value = min(value, total)
    shade = shade_index(value, total)
    assert 0 <= shade <= 10
    assert (shade == 0) == (value == 0)
    if value:
        assert 10 * value / total <= shade < 10 * value / total + 1


def test_reliability_dots_sit_at_confidence_and_accuracy() -> None:
    bins = (
        ReliabilityBin(0.0, 0.1, 0, 0.0, Interval(None, None, None)),
        ReliabilityBin(0.7, 0.8, 40, 0.75, Interval(0.5, 0.25, 1.0)),
    )
    svg = draw_reliability(bins, title="t", largest_density=800.0)
    (dot,) = drawn(svg, "mark")
    (bar,) = drawn(svg, "interval")
    (count,) = drawn(svg, "bar")
    assert (place(dot, "cx"), place(dot, "cy")) == (75.0, 110.0)
    assert (place(bar, "y1"), place(bar, "y2")) == (165.0, 0.0)
    assert place(count, "height") == 23.0


def test_the_area_of_a_bar_counts_its_images() -> None:
    half = Interval(0.5, 0.4, 0.6)
    bins = (ReliabilityBin(0.0, 0.5, 60, 0.4, half), ReliabilityBin(0.5, 0.6, 60, 0.55, half))
    svg = draw_reliability(bins, title="t", largest_density=density(bins[1]))
    wide, narrow = (place(bar, "height") for bar in drawn(svg, "bar"))
    assert narrow / wide == pytest.approx(0.5 / 0.1, abs=1e-3)


def test_the_reliability_diagonal_runs_from_corner_to_corner() -> None:
    (line,) = drawn(draw_reliability((), title="t", largest_density=0.0), "reference")
    assert [line.attrib[name] for name in ("x1", "y1", "x2", "y2")] == ["0%", "220", "100%", "0"]


def test_the_leak_interval_is_drawn_from_the_grouped_accuracy() -> None:
    svg = draw_leak(grouped=0.80, random=0.85, leak=Interval(0.05, 0.02, 0.08))
    ticks = [t.text for t in drawn(svg, "tick") if t.text]
    low, high = (float(t.removesuffix("%")) / 100 for t in (ticks[0], ticks[-1]))
    (bar,) = drawn(svg, "interval")
    assert place(bar, "x1") == pytest.approx(100 * (0.82 - low) / (high - low), abs=1e-3)
    assert place(bar, "x2") == pytest.approx(100 * (0.88 - low) / (high - low), abs=1e-3)


CURVE = LearningCurve(
    (
        CurvePoint(100, 0.6, 0.55, 0.65),
        CurvePoint(200, 0.7, 0.67, 0.73),
        CurvePoint(400, 0.75, 0.74, 0.76),
    ),
    800,
    Interval(0.78, 0.75, 0.81),
)


def test_doubling_the_images_is_always_the_same_step() -> None:
    dots = drawn(draw_learning_curve(CURVE, baseline=0.5), "mark")
    xs = [place(dot, "cx") for dot in dots]
    ordered = sorted(xs)
    steps = [b - a for a, b in pairwise(ordered)]
    assert steps == pytest.approx([steps[0]] * 3, abs=2e-3)
    assert math.isclose(steps[0], 100 / (3 * 1.12), abs_tol=1e-2)


def test_a_curve_that_allows_no_fit_has_no_band() -> None:
    curve = replace(CURVE, extrapolation=None, extrapolated_num_images=None, reason="Too few.")
    svg = draw_learning_curve(curve, baseline=0.5)
    assert (drawn(svg, "band"), drawn(svg, "ahead"), len(drawn(svg, "mark"))) == ([], [], 3)


def test_a_curve_of_one_point_can_be_drawn() -> None:
    curve = LearningCurve((CurvePoint(10, 0.5, 0.5, 0.5),), None, None, "One point.")
    (dot,) = drawn(draw_learning_curve(curve, baseline=0.5), "mark")
    assert place(dot, "cx") == 50.0


@given(low=rates, high=rates)
def test_ticks_enclose_what_they_are_for(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert ticks == tuple(sorted(set(ticks)))


def test_a_scale_keeps_values_inside() -> None:
    scale = Scale(0.0, 1.0)
    assert (scale(-3.0), scale(7.0)) == (0.0, 100.0)


@given(name=st.text(max_size=40))
def test_any_name_makes_well_formed_svg(name: str) -> None:
    names = [name, "b"]
    for svg in (
        draw_bars(names, [1, 2], title=name),
        draw_confusion_map([[1, 0], [0, 1]], names),
        draw_headline_strip(
            [HeadlineRow(replace(HEADLINE_METRICS[0], label=name), Interval(0.5, 0, 1), None)],
            constant_name=name,
        ),
    ):
        # XML refuses two non-characters that HTML lets pass.
        root = ET.fromstring(svg.translate({0xFFFE: "?", 0xFFFF: "?"}))
        assert root.tag == "svg"
