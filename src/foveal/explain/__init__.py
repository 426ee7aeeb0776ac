"""Where in a picture an answer comes from, and whether the map can be believed."""

from foveal.explain.closed_form import class_activation_maps
from foveal.explain.explaining import Explainer, explain
from foveal.explain.heat_map import Check, HeatMap, Verdict

__all__ = ["Check", "Explainer", "HeatMap", "Verdict", "class_activation_maps", "explain"]
