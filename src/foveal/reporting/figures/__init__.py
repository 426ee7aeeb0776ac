"""Figures: pure functions from values to SVG markup, one figure a file."""

from __future__ import annotations

from foveal.draw.svg import name_gutter
from foveal.reporting.figures.class_bars import draw_bars
from foveal.reporting.figures.class_intervals import ClassRow, draw_class_intervals
from foveal.reporting.figures.confusion_map import draw_confusion_map, shade_index
from foveal.reporting.figures.headline_strip import HeadlineRow, draw_headline_strip
from foveal.reporting.figures.leak import draw_leak
from foveal.reporting.figures.learning_curve import draw_learning_curve
from foveal.reporting.figures.reliability import density, draw_reliability

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
