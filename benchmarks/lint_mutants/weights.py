"""Mutations of weights, one a rule."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import nn

from benchmarks.lint_mutants.mutant import Mutation
from benchmarks.lint_mutants.surgery import is_batch_norm, is_conv, pick
from benchmarks.lint_mutants.zoo import Patient


def break_weight(patient: Patient, chance: random.Random) -> None:
    parameter = chance.choice(list(patient.model.parameters()))
    with torch.no_grad():
        flat = parameter.view(-1)
        flat[chance.randrange(flat.numel())] = chance.choice([float("nan"), float("inf")])


def kill_filters(patient: Patient, chance: random.Random) -> None:
    _, conv = pick(patient, chance, lambda m: is_conv(m) and m.out_channels >= 8)  # type: ignore[operator]
    weight: Any = conv.weight
    share = chance.uniform(0.3, 0.45)
    chosen = torch.randperm(len(weight))[: max(2, int(share * len(weight)) + 1)]
    with torch.no_grad():
        weight[chosen] *= chance.choice([0.0, 1e-9])


def forget_statistics(patient: Patient, chance: random.Random) -> None:
    _, norm = pick(patient, chance, is_batch_norm)
    norm.reset_running_stats()  # type: ignore[operator]


def flatten_variance(patient: Patient, chance: random.Random) -> None:
    _, norm = pick(patient, chance, is_batch_norm)
    variance: Any = norm.running_var
    chosen = torch.randperm(len(variance))[
        : max(1, int(chance.uniform(0.3, 0.9) * len(variance)) + 1)
    ]
    variance[chosen] = chance.choice([0.0, 1e-10, -1e-3])


def say_pretrained(patient: Patient) -> None:
    """A network without norms bears no sign of training, so somebody has to say it."""
    patient.options["is_pretrained"] = True


def start_over(patient: Patient, chance: random.Random) -> None:
    def is_large(module: nn.Module) -> bool:
        return isinstance(module, nn.Conv2d) and module.weight.numel() >= 1000

    _, layer = pick(patient, chance, is_large)
    layer.reset_parameters()  # type: ignore[operator]


WEIGHTS_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("W201", "one weight is NaN or infinite", break_weight),
    Mutation("W202", "a third of a layer's filters is zero", kill_filters, "trained"),
    Mutation("W203", "one batch norm forgets its statistics", forget_statistics, "trained"),
    Mutation(
        "W204",
        "a third of a batch norm's variances is zero or negative",
        flatten_variance,
        "trained",
    ),
    Mutation("W205", "one convolution is drawn anew", start_over, "trained", say_pretrained),
)
