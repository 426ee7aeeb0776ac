"""Where in a picture an answer comes from, and whether the map can be believed."""

from foveal.explain.heat_map import Check, HeatMap, Verdict

__all__ = ["Check", "HeatMap", "Verdict"]
