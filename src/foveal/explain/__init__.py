"""Where in a picture an answer comes from, and whether the map can be believed."""

from foveal.explain import calling as calling
from foveal.explain.ablation import ablation_maps
from foveal.explain.closed_form import class_activation_maps
from foveal.explain.explaining import Explainer
from foveal.explain.faithfulness import (
    Cost,
    Effort,
    Remake,
    cost_of_judging,
    judge_map,
    judge_maps,
)
from foveal.explain.heat_map import Check, HeatMap, Verdict
from foveal.explain.input_gradients import input_gradients
from foveal.explain.left_out import LEFT_OUT, refuse_left_out
from foveal.explain.methods import explain
from foveal.explain.occlusion import occlusion_maps

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
