"""Mutations of behaviour, some a rule."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.lint_mutants.mutant import Mutation, NoLayerError
from benchmarks.lint_mutants.surgery import graph_of, is_batch_norm, pick, replace
from benchmarks.lint_mutants.zoo import Patient, normalised, pictures

NUM_IMAGES = 8


def with_batch(patient: Patient) -> None:
    patient.options["batch"] = normalised(pictures(NUM_IMAGES, patient.size_px, seed=7))


def require_norms(patient: Patient) -> None:
    if not any(map(is_batch_norm, patient.model.modules())):
        raise NoLayerError


def forget_eval(patient: Patient, chance: random.Random) -> None:
    require_norms(patient)
    if chance.random() < 0.5:
        patient.model.train()
    else:
        _, norm = pick(patient, chance, is_batch_norm)
        norm.train()


def prepare_wrongly(patient: Patient, chance: random.Random) -> None:
    require_norms(patient)
    images = pictures(NUM_IMAGES, patient.size_px, seed=7)
    wrong = [255 * images, images, normalised(images).flip(1), normalised(255 * images)]
    patient.options["batch"] = chance.choice([*wrong, (images - 0.5) / 0.5])


def kill_relu(patient: Patient, chance: random.Random) -> None:
    graph = graph_of(patient)
    candidates = []
    for op in graph.ops:
        if op.function not in {"relu", "relu6", "hardtanh"} or op.inputs[0].kind != "op":
            continue
        # On pooled maps, as in squeeze-and-excitation, eight images are too few to tell.
        if op.output_shape[2:] == (1, 1):
            continue
        before = graph.ops[op.inputs[0].index]
        module: Any = patient.model.get_submodule(before.module_path)
        if before.kind in {"batch_norm", "conv"} and isinstance(module.bias, nn.Parameter):
            candidates.append(module)
    if not candidates:
        raise NoLayerError
    chosen = chance.choice(candidates)
    count = len(chosen.bias)
    dead = torch.randperm(count)[: max(1, -(-int(100 * chance.uniform(0.85, 1.0)) * count // 100))]
    with torch.no_grad():
        chosen.bias[dead] = -1000.0


class Squash(nn.Module):
    """A sigmoid where a ReLU belongs: each takes three quarters of the gradient or more."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


def starve_gradients(patient: Patient, chance: random.Random) -> None:
    """In the later half: a sigmoid for each activation, or weights or statistics off scale."""
    plain = not any(map(is_batch_norm, patient.model.modules()))
    factor = chance.choice([0.05, 0.1])
    if plain:
        with torch.no_grad():
            for module in patient.model.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight *= factor
        return
    # A shortcut carries gradient past a branch, so what is off has to be on the trunk.
    if not patient.is_own:
        raise NoLayerError
    net: Any = patient.model
    wide = net.num_channels
    tail: list[nn.Module] = []
    for _ in range(chance.randint(8, 12)):
        tail += [nn.Conv2d(wide, wide, 3, padding=1), Squash()]
    net.features = nn.Sequential(net.features, *tail)
    net.eval()


def blow_up_gradients(patient: Patient, chance: random.Random) -> None:
    if not patient.is_own:
        raise NoLayerError
    net: Any = patient.model
    wide = net.num_channels
    tail: list[nn.Module] = []
    for _ in range(chance.randint(5, 8)):
        conv = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        with torch.no_grad():
            nn.init.kaiming_normal_(conv.weight).mul_(30.0)
        tail += [conv, nn.LeakyReLU(0.1)]
    net.features = nn.Sequential(net.features, *tail)
    net.eval()


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x - x.mean())


def make_nan(patient: Patient, chance: random.Random) -> None:
    if chance.random() < 0.5:
        path, module = pick(patient, chance, lambda m: isinstance(m, nn.Linear))
        replace(patient.model, path, nn.Sequential(Logarithm(), module))
        return
    _, module = pick(patient, chance, lambda m: isinstance(m, nn.Linear))
    weight: Any = module.weight
    with torch.no_grad():
        weight[chance.randrange(len(weight))] = float("nan")


class AlwaysDrops(nn.Module):
    """Forgets to say ``training=self.training``."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.3)


class AddsNoise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * x.std() * torch.randn_like(x)


class Drifts(nn.Module):
    """Remembers how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        calls: Any = self.calls
        calls += 1
        return x * (1 + calls / 10)


def make_fickle(patient: Patient, chance: random.Random) -> None:
    path, module = pick(patient, chance, lambda m: isinstance(m, nn.Linear))
    layer = chance.choice([AlwaysDrops, AddsNoise, Drifts])()
    if chance.random() < 0.25:
        layer = nn.Dropout(0.4)
    replace(patient.model, path, nn.Sequential(layer, module))
    if isinstance(layer, nn.Dropout):
        layer.train()


BEHAVIOUR_MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "B301", "the model, or one batch norm, in training mode", forget_eval, "settled", with_batch
    ),
    Mutation("B302", "images in another form", prepare_wrongly, "settled", with_batch),
    Mutation(
        "B303", "nearly all biases before a ReLU far below zero", kill_relu, "settled", with_batch
    ),
    Mutation(
        "B304",
        "sigmoids or small weights starve the first layers",
        starve_gradients,
        "settled",
        with_batch,
    ),
    Mutation("B304", "large weights blow gradients up", blow_up_gradients, "settled", with_batch),
    Mutation("B305", "a logarithm of negatives, or a NaN weight", make_nan, "settled", with_batch),
    Mutation(
        "B306",
        "dropout, noise or a counter at work in evaluation mode",
        make_fickle,
        "settled",
        with_batch,
    ),
)
