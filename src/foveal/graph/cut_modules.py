"""Modules that one side of a cut needs beside those of the model."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree

from foveal.graph.records import RecordedCall

# Functions that are told whether this is training, with the names of their arguments.
TRAINING_ARGUMENTS: dict[Any, tuple[str, ...]] = {
    torch.nn.functional.batch_norm: (
        *("input", "running_mean", "running_var", "weight", "bias"),
        *("training", "momentum", "eps"),
    ),
    **dict.fromkeys(
        (
            torch.nn.functional.dropout,
            torch.nn.functional.dropout1d,
            torch.nn.functional.dropout2d,
            torch.nn.functional.dropout3d,
            torch.nn.functional.alpha_dropout,
            torch.nn.functional.feature_alpha_dropout,
        ),
        ("input", "p", "training", "inplace"),
    ),
}


class Rebuild(torch.nn.Module):
    """Puts tensors back into the structure that the model returns."""

    def __init__(self, spec: pytree.TreeSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, *leaves: Any) -> Any:
        """Returns the structure with these leaves."""
        return pytree.tree_unflatten(list(leaves), self.spec)


class FollowsTraining(torch.nn.Module):
    """A function with an argument ``training``, which follows ``train()`` and ``eval()``."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with this module's own flag."""
        return self.function(*args, **{**kwargs, "training": self.training})


def is_training(call: RecordedCall) -> bool:
    """Returns what a call in ``TRAINING_ARGUMENTS`` was told."""
    position = TRAINING_ARGUMENTS[call.function].index("training")
    if "training" in call.kwargs:
        return bool(call.kwargs["training"])
    if len(call.args) > position:
        return bool(call.args[position])
    return call.function is not torch.nn.functional.batch_norm
