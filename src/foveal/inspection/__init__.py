"""A graph becomes a table: shapes, parameters, cost, memory and receptive field of each layer."""

from foveal.inspection.as_json import comparison_json, effective_json, inspection_json
from foveal.inspection.as_text import render_inspection_text
from foveal.inspection.blocks import Block, Line, fold_blocks
from foveal.inspection.comparison import Comparison, Contrast, compare, render_comparison_text
from foveal.inspection.effective import (
    EffectiveField,
    effective_receptive_field,
    render_effective_text,
)
from foveal.inspection.equivariance import Equivariance, ShiftError, measure_equivariance
from foveal.inspection.gradient_flow import GradientFlow, LayerGradient, gradient_flow
from foveal.inspection.inspecting import inspect, inspect_graph, parse_input
from foveal.inspection.inspection import Inspection, OpRow, Stage, Totals
from foveal.inspection.page import render_inspection_fragment, render_inspection_html
from foveal.inspection.sizes import SizeLaw, find_size_law

__all__ = [
    "Block",
    "Comparison",
    "Contrast",
    "EffectiveField",
    "Equivariance",
    "GradientFlow",
    "Inspection",
    "LayerGradient",
    "Line",
    "OpRow",
    "ShiftError",
    "SizeLaw",
    "Stage",
    "Totals",
    "compare",
    "comparison_json",
    "effective_json",
    "effective_receptive_field",
    "find_size_law",
    "fold_blocks",
    "gradient_flow",
    "inspect",
    "inspect_graph",
    "inspection_json",
    "measure_equivariance",
    "parse_input",
    "render_comparison_text",
    "render_effective_text",
    "render_inspection_fragment",
    "render_inspection_html",
    "render_inspection_text",
]
