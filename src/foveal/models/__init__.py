"""Networks: where they come from, their pretrained weights, and their heads."""

from foveal.models.backbone import DEFAULT_BACKBONE, Backbone, load_backbone
from foveal.models.weights import WeightsSource, read_state_dict

__all__ = [
    "DEFAULT_BACKBONE",
    "Backbone",
    "WeightsSource",
    "load_backbone",
    "read_state_dict",
]
