"""Figures: pure functions from values to SVG markup, one figure a file."""

from __future__ import annotations

from foveal.draw.svg import name_gutter
from foveal.report.figures.class_bars import draw_bars
from foveal.report.figures.class_intervals import ClassRow, draw_class_intervals
from foveal.report.figures.confusion_map import draw_confusion_map, shade_index
from foveal.report.figures.headline_strip import HeadlineRow, draw_headline_strip
from foveal.report.figures.leak import draw_leak
from foveal.report.figures.learning_curve import draw_learning_curve
from foveal.report.figures.reliability import density, draw_reliability

__all__ = [
    "ClassRow",
    "HeadlineRow",
    "density",
    "draw_bars",
    "draw_class_intervals",
    "draw_confusion_map",
    "draw_headline_strip",
    "draw_leak",
    "draw_learning_curve",
    "draw_reliability",
    "name_gutter",
    "shade_index",
]
