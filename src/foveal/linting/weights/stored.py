"""What weights rules look at: layers whose numbers are there to be read."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import NotApplicable
from foveal.linting.weights.start_values import MIN_WEIGHTS, describe_start

BatchNorm = nn.modules.batchnorm._BatchNorm
LAYERS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
)
NO_VALUES = NotApplicable("the weights have no values: the model is on the meta device")
NO_BATCH_NORM = NotApplicable("no batch norm here keeps running statistics")


def weighted_layers(context: LintContext) -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """Yields path, module and weight of every convolution and linear layer."""
    for path, module in context.modules.items():
        weight = getattr(module, "weight", None)
        if isinstance(module, LAYERS) and isinstance(weight, torch.Tensor) and weight.numel():
            yield path, module, weight.detach()


def running_norms(context: LintContext) -> Iterator[tuple[str, BatchNorm]]:
    """Yields path and module of every batch norm that has running statistics."""
    for path, module in context.modules.items():
        if isinstance(module, BatchNorm) and module.running_mean is not None:
            yield path, module


def running_statistics(norm: BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns running mean and variance in double precision, on the CPU."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.detach().double().cpu(), norm.running_var.detach().double().cpu()


def filters(module: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """Returns the weights as one row for each output channel, in single precision.

    Transposed convolutions store them the other way round, by groups.
    """
    weight = weight.float()
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        groups = module.groups
        by_group = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
        weight = by_group.transpose(1, 2).reshape(groups * by_group.shape[2], -1)
    return weight.reshape(weight.shape[0], -1)


def has_signs_of_training(context: LintContext) -> bool:
    """Whether anything here can only have come from training.

    Running statistics that have moved; or scales of a normalisation that differ between
    channels beside some layer that does not look freshly drawn. Scales alone do not tell:
    RepVGG draws them at random.
    """
    if any(not is_untouched(norm) for _, norm in running_norms(context)):
        return True
    return _has_uneven_scale(context) and not _looks_drawn(context)


def _looks_drawn(context: LintContext) -> bool:
    """Whether every layer with enough weights to tell is as an initialisation draws it."""
    starts = [
        describe_start(module, weight)
        for _, module, weight in weighted_layers(context)
        if weight.numel() >= MIN_WEIGHTS
    ]
    return bool(starts) and all(starts)


def _has_uneven_scale(context: LintContext) -> bool:
    for module in context.modules.values():
        scale = getattr(module, "weight", None)
        is_norm = isinstance(module, BatchNorm | nn.LayerNorm | nn.GroupNorm)
        if is_norm and isinstance(scale, torch.Tensor) and is_uneven(scale):
            return True
    return False


def is_untouched(norm: BatchNorm) -> bool:
    """Whether the running statistics are those of a new layer: mean 0, variance 1."""
    mean, variance = running_statistics(norm)
    return bool((mean == 0).all()) and bool((variance == 1).all())


def is_uneven(values: torch.Tensor) -> bool:
    """Whether not all of the numbers are the same."""
    values = values.detach()
    return values.numel() > 1 and bool((values != values.reshape(-1)[0]).any())
