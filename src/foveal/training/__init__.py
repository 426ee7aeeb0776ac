"""Heads over frozen features, their cross-validation, and the recipe from data to evidence."""

from foveal.training.config import TrainConfig
from foveal.training.cross_validation import CrossValidated, cross_validate, score_random_folds
from foveal.training.heads import LinearHead, fit_head
from foveal.training.recipe import TrainedClassifier, train_classifier
from foveal.training.solver import LinearHeads, default_penalties, fit_heads
from foveal.training.steps import StepListener, StepLog

__all__ = [
    "CrossValidated",
    "LinearHead",
    "LinearHeads",
    "StepListener",
    "StepLog",
    "TrainConfig",
    "TrainedClassifier",
    "cross_validate",
    "default_penalties",
    "fit_head",
    "fit_heads",
    "score_random_folds",
    "train_classifier",
]
