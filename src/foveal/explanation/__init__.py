"""Where in a picture an answer comes from, and whether the map can be believed."""

from foveal.explanation.ablation import ablation_maps
from foveal.explanation.closed_form import class_activation_maps
from foveal.explanation.explaining import Explainer
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
from foveal.explanation.left_out import LEFT_OUT, refuse_left_out
from foveal.explanation.methods import explain
from foveal.explanation.occlusion import occlusion_maps

__all__ = [
    "LEFT_OUT",
    "Check",
    "Cost",
    "Effort",
    "Explainer",
    "HeatMap",
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
