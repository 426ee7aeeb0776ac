"""Finding a layer in a network and putting another module in its place."""

from __future__ import annotations

import random
from collections.abc import Callable

from torch import nn

from benchmarks.lint_mutants.mutant import NoLayerError
from benchmarks.lint_mutants.zoo import Net, Patient
from foveal.graph import Graph, trace


def replace(model: nn.Module, path: str, new: nn.Module) -> None:
    """Puts ``new`` where ``path`` points."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)
    new.train(model.training)


def pick(
    patient: Patient, chance: random.Random, wanted: Callable[[nn.Module], bool]
) -> tuple[str, nn.Module]:
    """Returns path and module of one that is wanted, drawn by chance."""
    found = [(path, module) for path, module in patient.model.named_modules() if wanted(module)]
    if not found:
        raise NoLayerError
    return chance.choice(found)


def is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def is_conv(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d)


def own(patient: Patient) -> Net:
    """Returns the model as one of our own nets, whose parts have names."""
    if not isinstance(patient.model, Net):
        raise NoLayerError
    return patient.model


def append(patient: Patient, *layers: nn.Module, num_channels: int | None = None) -> None:
    """Adds layers after the features of one of our own nets."""
    net = own(patient)
    net.features = nn.Sequential(net.features, *layers)
    if num_channels is not None:
        net.classifier = nn.Linear(num_channels, 10)
    net.eval()


def graph_of(patient: Patient) -> Graph:
    """Returns the graph of a patient as it is now."""
    return trace(patient.model, (3, patient.size_px, patient.size_px), mode="eval")


def block(channels: int, kernel: int = 3, dilation: int = 1) -> nn.Module:
    """Returns convolution, batch norm and ReLU that keep the size."""
    pad = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel, padding=pad, dilation=dilation, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )
