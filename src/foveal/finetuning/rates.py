"""Learning rates by depth, and which parameters have weight decay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from foveal.draw.numbers import short_count
from foveal.finetuning.settings import Recipe

_LEAST_RATE = 1e-12


@dataclass(frozen=True, slots=True)
class RateRow:
    """One part of the network in the table of rates.

    Attributes:
        part: The module.
        num_parameters: Elements of its trained parameters.
        low: Rate of its first layer.
        high: Rate of its last.
    """

    part: str
    num_parameters: int
    low: float
    high: float


def rate_at(depth: float, recipe: Recipe) -> float:
    """Returns the rate at a depth from 0 (first layer) to 1 (classifier), growing by one factor.

    >>> [f"{rate_at(depth, Recipe()):.0e}" for depth in (0.0, 0.5, 1.0)]
    ['1e-05', '1e-04', '1e-03']
    """
    if recipe.first_rate == 0:
        return recipe.head_rate * depth
    low, high = (math.log(rate) for rate in (recipe.first_rate, recipe.head_rate))
    return math.exp(low + (high - low) * depth)


def parameter_groups(
    network: nn.Module, depths: Mapping[str, float], recipe: Recipe
) -> list[dict[str, Any]]:
    """Returns groups for an optimizer: one for each rate, with and without weight decay.

    Each has ``base_rate``, from which a schedule makes ``lr``. Biases and the scales of
    normalisation, which have one axis or none, are not decayed.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate_at(depths[name], recipe), decay), []).append(parameter)
    return [
        {"params": members, "lr": rate, "base_rate": rate, "weight_decay": decay}
        for (rate, decay), members in groups.items()
    ]


def make_optimizer(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """Returns the optimizer that the recipe names, as one pass over every parameter."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, fused=True)


def share_of_rate(step: int, num_steps: int, warmup_share: float) -> float:
    """Returns what part of its rate every layer learns with at a step, counted from 0.

    It rises linearly over the first steps and then follows half a cosine down to 0 (Loshchilov
    & Hutter 2017, arXiv 1608.03983).

    >>> [round(share_of_rate(step, 10, 0.2), 3) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    num_warm = round(warmup_share * num_steps)
    if step < num_warm:
        return (step + 1) / num_warm
    return 0.5 * (1 + math.cos(math.pi * (step - num_warm) / max(1, num_steps - num_warm)))


def rate_table(
    network: nn.Module, depths: Mapping[str, float], recipe: Recipe
) -> tuple[RateRow, ...]:
    """Returns the rates by part, a stage or a layer outside of stages, in order of depth."""
    parts: dict[str, list[tuple[float, int]]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            path = name.rpartition(".")[0].split(".")
            part = ".".join(path[:2]) if len(path) > 2 else path[0]
            parts.setdefault(part, []).append((depths[name], parameter.numel()))
    return tuple(
        RateRow(
            part,
            sum(count for _, count in members),
            rate_at(min(depth for depth, _ in members), recipe),
            rate_at(max(depth for depth, _ in members), recipe),
        )
        for part, members in sorted(parts.items(), key=lambda item: min(item[1]))
    )


def render_rates(rows: tuple[RateRow, ...]) -> str:
    """Returns the table as text."""
    width = max([len(row.part) for row in rows] + [len("part")])
    lines = [f"{'part':{width}}  parameters  learning rate"]
    for row in rows:
        span = f"{row.low:.1e}" if row.low == row.high else f"{row.low:.1e} to {row.high:.1e}"
        lines.append(f"{row.part:{width}}  {short_count(row.num_parameters):>10}  {span}")
    return "\n".join(lines)
