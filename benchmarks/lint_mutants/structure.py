"""Mutations of structure, one a rule."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import nn

from benchmarks.lint_mutants.mutant import Mutation, NoLayerError
from benchmarks.lint_mutants.surgery import (
    append,
    block,
    graph_of,
    is_batch_norm,
    own,
    pick,
    replace,
)
from benchmarks.lint_mutants.zoo import Patient, Residual


def add_bias(patient: Patient, chance: random.Random) -> None:
    graph = graph_of(patient)
    candidates = []
    for op in graph.ops:
        after = graph.consumers[op.index]
        read_by = graph.ops[after[0]].kind if len(after) == 1 else None
        if op.kind == "conv" and not op.attributes["bias"] and read_by == "batch_norm":
            candidates.append(op.module_path)
    if not candidates:
        raise NoLayerError
    path = chance.choice(candidates)
    conv: Any = patient.model.get_submodule(path)
    conv.bias = nn.Parameter(torch.zeros(conv.out_channels))


def flatten_head(patient: Patient, chance: random.Random) -> None:
    net = own(patient)
    with torch.no_grad():
        size = net.features(torch.zeros(1, 3, patient.size_px, patient.size_px)).flatten(1).shape[1]
    hidden = max(512, -(-2_000_000 // size), 2 * sum(p.numel() for p in net.parameters()) // size)
    net.pool = nn.Identity()
    net.classifier = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    net.eval()


def pile_on(patient: Patient, chance: random.Random) -> None:
    append(patient, *[block(own(patient).num_channels) for _ in range(chance.randint(22, 26))])


def shrink_to_nothing(patient: Patient, chance: random.Random) -> None:
    net = own(patient)
    layers: list[nn.Module] = []
    with torch.no_grad():
        size = net.features(torch.zeros(1, 3, patient.size_px, patient.size_px)).shape[-1]
    while size > 1:
        layers.append(nn.MaxPool2d(2))
        size //= 2
    append(patient, *layers)


def stride_over(patient: Patient, chance: random.Random) -> None:
    path = graph_of(patient).ops[0].module_path
    stem = patient.model.get_submodule(path)
    if not isinstance(stem, nn.Conv2d):
        raise NoLayerError
    stride = chance.choice([2, 3])
    replace(patient.model, path, nn.Conv2d(3, stem.out_channels, 1, stride, bias=False))


def dilate(patient: Patient, chance: random.Random) -> None:
    dilation = chance.choice([2, 3, 4])
    wide = own(patient).num_channels
    down = nn.Sequential(nn.AvgPool2d(1), nn.MaxPool2d(2))
    append(patient, down, *[block(wide, dilation=dilation) for _ in range(3)])


def transpose_unevenly(patient: Patient, chance: random.Random) -> None:
    wide = own(patient).num_channels
    kernel, stride = chance.choice([(3, 2), (5, 2), (5, 3), (7, 2), (4, 3)])
    up = nn.ConvTranspose2d(wide, wide, kernel, stride, padding=kernel // 2, bias=False)
    append(patient, up, nn.BatchNorm2d(wide), nn.ReLU())


def read_padding(patient: Patient, chance: random.Random) -> None:
    wide = own(patient).num_channels
    size = chance.choice([1, 2])
    append(patient, nn.AdaptiveAvgPool2d(size), block(wide, kernel=2 * size + 1 + 2 * size))


def take_shortcuts(patient: Patient, chance: random.Random) -> None:
    net = own(patient)
    wide = net.num_channels
    append(patient, *[Residual(wide, wide, 1) for _ in range(chance.randint(16, 20))])
    for module in net.modules():
        if isinstance(module, Residual):
            module.shortcut = None


def stack_linear(patient: Patient, chance: random.Random) -> None:
    path, linear = pick(patient, chance, lambda module: isinstance(module, nn.Linear))
    assert isinstance(linear, nn.Linear)
    hidden = linear.in_features * chance.choice([1, 2])
    pair = nn.Sequential(
        nn.Linear(linear.in_features, hidden), nn.Linear(hidden, linear.out_features)
    )
    replace(patient.model, path, pair)


def end_in_softmax(patient: Patient, chance: random.Random) -> None:
    patient.model = nn.Sequential(patient.model, nn.Softmax(dim=1)).eval()
    patient.options["loss"] = nn.CrossEntropyLoss()


def drop_before_norm(patient: Patient, chance: random.Random) -> None:
    path, norm = pick(patient, chance, is_batch_norm)
    p = chance.choice([0.1, 0.3, 0.5])
    # timm's and torchvision's blocks ask a norm for attributes only while they are built.
    replace(patient.model, path, nn.Sequential(nn.Dropout(p), norm))


def normalise_logits(patient: Patient, chance: random.Random) -> None:
    patient.model = nn.Sequential(patient.model, nn.BatchNorm1d(10)).eval()


def make_even(patient: Patient, chance: random.Random) -> None:
    kernel = chance.choice([2, 4])
    changed = 0
    for path, module in list(patient.model.named_modules()):
        if (
            isinstance(module, nn.Conv2d)
            and module.kernel_size == (3, 3)
            and module.stride == (1, 1)
        ):
            changed += 1
            even = nn.Conv2d(
                module.in_channels,
                module.out_channels,
                kernel,
                padding="same",
                groups=module.groups,
                bias=module.bias is not None,
            )
            replace(patient.model, path, even)
    if changed < 2:
        raise NoLayerError


def enlarge_kernel(patient: Patient, chance: random.Random) -> None:
    def is_plain(module: nn.Module) -> bool:
        return (
            isinstance(module, nn.Conv2d)
            and module.kernel_size == (3, 3)
            and module.stride == (1, 1)
            and module.groups == 1
            and module.in_channels >= module.out_channels
        )

    path, conv = pick(patient, chance, is_plain)
    assert isinstance(conv, nn.Conv2d)
    kernel = chance.choice([7, 9])
    large = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        kernel,
        padding=kernel // 2,
        bias=conv.bias is not None,
    )
    replace(patient.model, path, large)


def make_dense(patient: Patient, chance: random.Random) -> None:
    changed = 0
    for path, module in list(patient.model.named_modules()):
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            changed += 1
            dense = nn.Conv2d(
                module.in_channels,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
            replace(patient.model, path, dense)
    if not changed:
        raise NoLayerError


def without_norms(patient: Patient) -> None:
    """Takes the batch norms out, so that none can be folded in the healthy network."""
    own(patient)
    for path, module in list(patient.model.named_modules()):
        if is_batch_norm(module):
            replace(patient.model, path, nn.Identity())


def put_norms_back(patient: Patient, chance: random.Random) -> None:
    wide = own(patient).num_channels
    for _ in range(chance.randint(1, 3)):
        append(patient, nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU())


STRUCTURE_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("S101", "a convolution before a batch norm gets a bias", add_bias),
    Mutation("S102", "flatten and a giant linear layer for global pooling", flatten_head),
    Mutation("S103", "two dozen layers more on the last map", pile_on),
    Mutation("S104", "pooled until one position is left", shrink_to_nothing),
    Mutation("S105", "a 1×1 stem with a stride", stride_over),
    Mutation("S106", "three convolutions of one dilation", dilate),
    Mutation(
        "S107", "a transposed convolution that its stride does not divide", transpose_unevenly
    ),
    Mutation("S108", "a kernel larger than a map of 1×1 or 2×2", read_padding),
    Mutation("S109", "a deep residual stack without its shortcuts", take_shortcuts),
    Mutation("S110", "two linear layers for one", stack_linear),
    Mutation("S111", "softmax before the cross-entropy", end_in_softmax),
    Mutation("S112", "dropout before a batch norm", drop_before_norm),
    Mutation("S113", "batch norm on the logits", normalise_logits),
    Mutation("S114", "even kernels with same padding", make_even),
    Mutation("S115", "a 7×7 or 9×9 for a 3×3", enlarge_kernel),
    Mutation("S116", "dense convolutions for depthwise ones", make_dense, times=3),
    Mutation("S117", "batch norms added in evaluation mode", put_norms_back, prepare=without_norms),
)
