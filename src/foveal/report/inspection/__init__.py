"""The table of a network as text, HTML, JSON and a notebook's output."""

from foveal.report.inspection.as_json import comparison_json, effective_json, inspection_json
from foveal.report.inspection.as_text import render_inspection_text
from foveal.report.inspection.comparison_text import render_comparison_text
from foveal.report.inspection.effective_text import render_effective_text
from foveal.report.inspection.page import render_inspection_fragment, render_inspection_html

__all__ = [
    "comparison_json",
    "effective_json",
    "inspection_json",
    "render_comparison_text",
    "render_effective_text",
    "render_inspection_fragment",
    "render_inspection_html",
    "render_inspection_text",
]
