"""Weights between and among weights: running averages, interpolation, soups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def trained_weights(network: nn.Module) -> Weights:
    """Returns copies of everything that training may change: parameters and buffers."""
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    return {
        name: value.detach().clone(memory_format=torch.preserve_format)
        for name, value in (*trained.items(), *network.named_buffers())
    }


def put_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copies weights into a network, in place."""
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def move_average(average: Weights, network: nn.Module, *, decay: float, step: int) -> None:
    """Moves a running average towards the network's weights, in place.

    The decay grows over the first steps, so that the start is soon forgotten.
    """
    kept = min(decay, (1 + step) / (10 + step))
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name, value in average.items():
            if value.is_floating_point():
                value.lerp_(own[name], 1 - kept)
            else:
                value.copy_(own[name])


def interpolate(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> Weights:
    """Returns ``(1 - share) * start + share * end`` (WiSE-FT, Wortsman et al. 2022, 2109.01903).

    The ends come out exactly. What is not a real number is taken from the end.
    """
    if share in (0.0, 1.0):
        return {name: value.clone() for name, value in (end if share else start).items()}
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value.clone()
        for name, value in end.items()
    }


def soup(members: Sequence[Mapping[str, Tensor]]) -> Weights:
    """Returns the mean of several networks' weights (Wortsman et al. 2022, arXiv 2203.05482)."""
    return {
        name: torch.stack([member[name] for member in members]).mean(0)
        if value.is_floating_point()
        else value.clone()
        for name, value in members[0].items()
    }
