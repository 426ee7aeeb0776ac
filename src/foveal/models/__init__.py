"""Networks: where they come from, their pretrained weights, and their heads."""

from foveal.models.backbone import DEFAULT_BACKBONE, Backbone, load_backbone
from foveal.models.catalogue import CATALOGUE, Architecture, build, find_architecture
from foveal.models.network import Network
from foveal.models.pretrained import TimmNetwork, load_timm_network, require_timm_model
from foveal.models.sources import open_network
from foveal.models.weights import WeightsSource, read_state_dict

__all__ = [
    "CATALOGUE",
    "DEFAULT_BACKBONE",
    "Architecture",
    "Backbone",
    "Network",
    "TimmNetwork",
    "WeightsSource",
    "build",
    "find_architecture",
    "load_backbone",
    "load_timm_network",
    "open_network",
    "read_state_dict",
    "require_timm_model",
]
