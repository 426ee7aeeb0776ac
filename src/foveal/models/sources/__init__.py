"""A network from a name, a file with a factory, a folder, or a module."""

from foveal.models.sources.building import Weights
from foveal.models.sources.resolving import open_network

__all__ = ["Weights", "open_network"]
