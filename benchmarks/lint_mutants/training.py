"""Mutations of the training set-up, one a rule."""

from __future__ import annotations

import random

import torch
from torch import nn

from benchmarks.lint_mutants.mutant import Mutation, NoLayerError
from benchmarks.lint_mutants.surgery import is_batch_norm, replace
from benchmarks.lint_mutants.zoo import Patient

RATE = 1e-2


def last_linear(patient: Patient) -> tuple[str, nn.Linear]:
    linears = [(p, m) for p, m in patient.model.named_modules() if isinstance(m, nn.Linear)]
    if not linears:
        raise NoLayerError
    return linears[-1]


def split(patient: Patient) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Returns body weights, one-dimensional body parameters, and the head's parameters."""
    _, head = last_linear(patient)
    in_head = {id(parameter) for parameter in head.parameters()}
    body = [p for p in patient.model.parameters() if id(p) not in in_head]
    return (
        [p for p in body if p.dim() > 1],
        [p for p in body if p.dim() <= 1],
        list(head.parameters()),
    )


def sound_set_up(patient: Patient) -> None:
    """Training mode, batches of 32, a new head at ten times the rate, no decay on norms."""
    path, old = last_linear(patient)
    replace(patient.model, path, nn.Linear(old.in_features, old.out_features))
    weights, flat, head = split(patient)
    patient.options["optimizer"] = torch.optim.SGD(
        [
            {"params": weights, "lr": RATE / 10, "weight_decay": 1e-4},
            {"params": flat, "lr": RATE / 10},
            {"params": head},
        ],
        lr=RATE,
        momentum=0.9,
    )
    patient.options["settings"] = {"batch_size": 32}
    patient.model.train()


def equal_rates(patient: Patient, chance: random.Random) -> None:
    for group in patient.options["optimizer"].param_groups:
        group["lr"] = RATE


def freeze_weights_only(patient: Patient, chance: random.Random) -> None:
    if not any(map(is_batch_norm, patient.model.modules())):
        raise NoLayerError
    weights, flat, head = split(patient)
    for parameter in [*weights, *flat]:
        parameter.requires_grad_(False)
    patient.options["optimizer"] = torch.optim.SGD(head, lr=RATE)


def leave_out(patient: Patient, chance: random.Random) -> None:
    groups = patient.options["optimizer"].param_groups
    group = chance.choice([group for group in groups if group["params"]])
    del group["params"][chance.randrange(len(group["params"]))]


def hold_twice(patient: Patient, chance: random.Random) -> None:
    groups = patient.options["optimizer"].param_groups
    parameter = chance.choice([p for group in groups for p in group["params"]])
    chance.choice(groups)["params"].append(parameter)


def replace_head_afterwards(patient: Patient, chance: random.Random) -> None:
    path, old = last_linear(patient)
    replace(patient.model, path, nn.Linear(old.in_features, chance.randint(2, 9)))


def decay_everything(patient: Patient, chance: random.Random) -> None:
    for group in patient.options["optimizer"].param_groups:
        group["weight_decay"] = chance.choice([1e-4, 5e-2])


def shrink_batches(patient: Patient, chance: random.Random) -> None:
    if not any(map(is_batch_norm, patient.model.modules())):
        raise NoLayerError
    patient.options["settings"] = {"batch_size": chance.choice([1, 2, 3, 4])}


def freeze_everything(patient: Patient, chance: random.Random) -> None:
    for group in patient.options["optimizer"].param_groups:
        for parameter in group["params"]:
            parameter.requires_grad_(False)


def stop_a_group(patient: Patient, chance: random.Random) -> None:
    groups = [g for g in patient.options["optimizer"].param_groups if g["params"]]
    chance.choice(groups)["lr"] = chance.choice([0.0, -1e-3])


TRAINING_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "T401", "one rate for trained layers and the new head", equal_rates, "trained", sound_set_up
    ),
    Mutation(
        "T402",
        "the body frozen, its batch norms in training mode",
        freeze_weights_only,
        "trained",
        sound_set_up,
    ),
    Mutation("T403", "one parameter left out of the groups", leave_out, "trained", sound_set_up),
    Mutation("T404", "one parameter held twice", hold_twice, "trained", sound_set_up),
    Mutation(
        "T405",
        "the head replaced after the optimizer was built",
        replace_head_afterwards,
        "trained",
        sound_set_up,
    ),
    Mutation("T406", "weight decay for all groups", decay_everything, "trained", sound_set_up),
    Mutation("T407", "batches of one to four", shrink_batches, "trained", sound_set_up),
    Mutation("T408", "everything frozen", freeze_everything, "trained", sound_set_up),
    Mutation("T409", "a group with a rate of zero or below", stop_a_group, "trained", sound_set_up),
)
