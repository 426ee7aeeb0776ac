"""Where in an image an answer comes from, and whether the map can be believed."""

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
from foveal.explanation.input_gradients import input_gradients
from foveal.explanation.methods import LEFT_OUT, METHODS, Method, refuse_left_out
from foveal.explanation.occlusion import occlusion_maps

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
