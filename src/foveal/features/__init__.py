"""Backbone → feature vectors, fast: backends, a timed probe, a cache, an extraction loop."""

from foveal.features.backends import BACKENDS, Backend, BackendSpec, find_backend, num_cores
from foveal.features.cache import FeatureCache, cache_directory
from foveal.features.extract import ExtractionStats, ImageSource, extract_features
from foveal.features.onnx_file import export_onnx
from foveal.features.probe import ProbeReport, ProbeRow, choose_backend
from foveal.features.stream import stream_batches

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendSpec",
    "ExtractionStats",
    "FeatureCache",
    "ImageSource",
    "ProbeReport",
    "ProbeRow",
    "cache_directory",
    "choose_backend",
    "export_onnx",
    "extract_features",
    "find_backend",
    "num_cores",
    "stream_batches",
]
