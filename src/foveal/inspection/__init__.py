"""A graph becomes a table: shapes, parameters, cost, memory and receptive field of each layer."""

from foveal.inspection.blocks import Block, Line, fold_blocks
from foveal.inspection.comparing import Comparison, Contrast, compare
from foveal.inspection.effective import EffectiveField, effective_receptive_field
from foveal.inspection.equivariance import Equivariance, ShiftError, measure_equivariance
from foveal.inspection.gradient_flow import GradientFlow, LayerGradient, gradient_flow
from foveal.inspection.input_spec import parse_input
from foveal.inspection.inspecting import inspect, inspect_graph
from foveal.inspection.inspection import Inspection, OpRow, Stage, Totals
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
    "effective_receptive_field",
    "find_size_law",
    "fold_blocks",
    "gradient_flow",
    "inspect",
    "inspect_graph",
    "measure_equivariance",
    "parse_input",
]
