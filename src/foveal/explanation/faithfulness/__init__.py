"""Tests of a map: does it add up, do its areas matter, does it depend on what was learned?"""

from foveal.explanation.faithfulness.judging import Cost, cost_of_judging, judge_map, judge_maps
from foveal.explanation.faithfulness.randomisation import SIMILARITY_LIMIT, Remake
from foveal.explanation.requests import Effort

__all__ = [
    "SIMILARITY_LIMIT",
    "Cost",
    "Effort",
    "Remake",
    "cost_of_judging",
    "judge_map",
    "judge_maps",
]
