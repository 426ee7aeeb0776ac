"""MODEL as people type it: a name, a file with a factory, or a folder."""

from foveal.models.sources.resolved import ResolvedModel, Weights
from foveal.models.sources.resolving import resolve_model

__all__ = ["ResolvedModel", "Weights", "resolve_model"]
