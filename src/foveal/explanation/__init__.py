"""Where in an image an answer comes from, and whether the map can be believed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.explanation.ablation import ablation_maps
    from foveal.explanation.exact_head import class_activation_maps
    from foveal.explanation.explaining import Explainer, explain
    from foveal.explanation.faithfulness import (
        Cost,
        Effort,
        Remake,
        cost_of_judging,
        judge_map,
        judge_maps,
    )
    from foveal.explanation.heat_map import Check, HeatMap, Verdict
    from foveal.explanation.methods import LEFT_OUT, METHODS, Method, refuse_left_out
    from foveal.explanation.occlusion import occlusion_maps
    from foveal.explanation.saliency import input_gradients

# Imported on first use: a map that is only drawn needs no torch.
_MODULES = {
    "ablation_maps": "ablation",
    "class_activation_maps": "exact_head",
    "Explainer": "explaining",
    "explain": "explaining",
    "Cost": "faithfulness",
    "Effort": "faithfulness",
    "Remake": "faithfulness",
    "cost_of_judging": "faithfulness",
    "judge_map": "faithfulness",
    "judge_maps": "faithfulness",
    "Check": "heat_map",
    "HeatMap": "heat_map",
    "Verdict": "heat_map",
    "input_gradients": "saliency",
    "LEFT_OUT": "methods",
    "METHODS": "methods",
    "Method": "methods",
    "refuse_left_out": "methods",
    "occlusion_maps": "occlusion",
}

__all__ = [
    "LEFT_OUT",
    "METHODS",
    "Check",
    "Cost",
    "Effort",
    "Explainer",
    "HeatMap",
    "Method",
    "Remake",
    "Verdict",
    "ablation_maps",
    "class_activation_maps",
    "cost_of_judging",
    "explain",
    "input_gradients",
    "judge_map",
    "judge_maps",
    "occlusion_maps",
    "refuse_left_out",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
