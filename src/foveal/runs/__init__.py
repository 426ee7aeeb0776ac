"""The run folder: written at once, verified when read, used for prediction."""

from foveal.runs.atomic_folder import claim_folder
from foveal.runs.classifier import Classifier, Prediction, load
from foveal.runs.folder import read_manifest
from foveal.runs.model_files import Parity
from foveal.runs.scoring import Scored, evaluate_classifier
from foveal.runs.writing import Rendered, write_run

__all__ = [
    "Classifier",
    "Parity",
    "Prediction",
    "Rendered",
    "Scored",
    "claim_folder",
    "evaluate_classifier",
    "load",
    "read_manifest",
    "write_run",
]
