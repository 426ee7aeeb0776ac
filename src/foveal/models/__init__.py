"""Networks: where they come from, their pretrained weights, and their heads."""

from foveal.models.backbone import DEFAULT_BACKBONE, Backbone, load_backbone
from foveal.models.pretrained import LoadedNetwork, load_network
from foveal.models.weights import WeightsSource, read_state_dict

__all__ = [
    "DEFAULT_BACKBONE",
    "Backbone",
    "LoadedNetwork",
    "WeightsSource",
    "load_backbone",
    "load_network",
    "read_state_dict",
]
