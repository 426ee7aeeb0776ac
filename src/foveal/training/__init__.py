"""Models over a frozen network, their cross-validation, and the recipe from data to evidence."""

from foveal.training.config import TrainConfig
from foveal.training.fold_model import ExactMap, FoldFits, FoldModel, FoldModelMaker, Split
from foveal.training.linear import LinearHead, LinearMaker, cross_validate, fit_head
from foveal.training.problem import Problem
from foveal.training.recipe import TrainedClassifier, train_classifier
from foveal.training.solver import LinearHeads, default_penalties, fit_heads
from foveal.training.steps import StepListener, StepLog

__all__ = [
    "ExactMap",
    "FoldFits",
    "FoldModel",
    "FoldModelMaker",
    "LinearHead",
    "LinearHeads",
    "LinearMaker",
    "Problem",
    "Split",
    "StepListener",
    "StepLog",
    "TrainConfig",
    "TrainedClassifier",
    "cross_validate",
    "default_penalties",
    "fit_head",
    "fit_heads",
    "train_classifier",
]
