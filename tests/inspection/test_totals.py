"""Totals against torch, torchvision's published figures, fvcore and FIELD's tables."""

from __future__ import annotations

import warnings

import pytest
import torch
import torchvision
from torch import nn

from foveal.inspection import inspect
from foveal.models.sources import open_network

NAMES = (
    "alexnet", "vgg16", "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "googlenet",
    "densenet121", "mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0", "shufflenet_v2_x1_0",
    "squeezenet1_1", "efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_module(name, inspected):
    module = open_network(f"torchvision:{name}").module
    assert inspected(f"torchvision:{name}").totals.parameters == sum(
        p.numel() for p in module.parameters()
    )


@pytest.mark.parametrize("name", NAMES)
def test_rows_add_up_to_the_used_parameters(name, inspected):
    table = inspected(f"torchvision:{name}")
    assert sum(row.parameters for row in table.ops) == (
        table.totals.parameters - table.totals.unused_parameters
    )


@pytest.mark.parametrize("name", NAMES)
def test_macs_are_those_that_torchvision_publishes(name, inspected):
    weights = torchvision.models.get_model_weights(name)["DEFAULT"]
    size = weights.transforms().crop_size[0]
    published = weights.meta["_ops"]  # in units of 1e9, called GFLOPS there
    macs = inspected(f"torchvision:{name}", size).totals.macs
    assert macs.status == "complete"
    assert macs.value / 1e9 == pytest.approx(published, rel=0.005, abs=0.001)


# fvcore also counts batch norm (1 or 2 for each element) and pooling, so only these of its
# operators are compared.
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "efficientnet_b0"])
def test_macs_agree_with_fvcore(name, inspected):
    fvcore = pytest.importorskip("fvcore.nn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = open_network(f"torchvision:{name}", weights="random").module
        counted = fvcore.FlopCountAnalysis(module, torch.zeros(1, 3, 224, 224))
        counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        by_operator = counted.by_operator()
    expected = sum(by_operator[kind] for kind in ("conv", "linear"))
    assert inspected(f"torchvision:{name}").totals.macs.value == expected


@pytest.mark.parametrize(
    ("name", "size", "stride", "start"),
    [
        ("resnet18", 435, 32, -217),
        ("resnet34", 899, 32, -449),
        ("resnet50", 427, 32, -213),
        ("vgg16", 212, 32, -90),
    ],
)
def test_receptive_field_is_the_published_one(name, size, stride, start, inspected):
    seen = inspected(f"torchvision:{name}").totals.receptive_field
    assert (seen.size, seen.effective_stride, seen.start) == (
        (size, size), (stride, stride), (start, start),
    )  # fmt: skip


# Araujo, Norris and Sim (Distill 2019); padding does not change the size.
def test_receptive_field_of_alexnet_v2():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 11, stride=4), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 5, padding=2),
        nn.MaxPool2d(3, 2), *(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)),
        nn.MaxPool2d(3, 2),
    )  # fmt: skip
    seen = inspect(model, (3, 224, 224)).totals.receptive_field
    assert (seen.size, seen.effective_stride, seen.start) == ((195, 195), (32, 32), (-64, -64))


def test_receptive_field_of_mobilenet_v1():
    strides = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, stride=s, padding=1) for s in strides))
    seen = inspect(model, (3, 224, 224)).totals.receptive_field
    assert (seen.size, seen.effective_stride) == ((315, 315), (32, 32))


def test_parameters_that_the_forward_pass_does_not_use_are_told(inspected):
    table = inspected("torchvision:googlenet")
    assert table.totals.unused_parameters == 13_004_888 - 6_624_904  # with and without aux heads
    assert "not used in this forward pass (aux1, aux2)" in table.notes[0]


def test_frozen_parameters_are_told_apart():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1))
    model[0].requires_grad_(False)
    table = inspect(model, (3, 16, 16))
    assert (table.ops[0].frozen_parameters, table.ops[0].trainable_parameters) == (8 * 27 + 8, 0)
    assert table.totals.trainable_parameters == 8 * 4 + 4


def test_a_shared_layer_counts_once():
    layer = nn.Conv2d(4, 4, 3, padding=1)
    table = inspect(nn.Sequential(layer, nn.ReLU(), layer), (4, 8, 8))
    assert [row.parameters for row in table.ops] == [4 * 4 * 9 + 4, 0, 0]
    assert table.ops[2].shared_with == table.ops[0].name
    assert table.totals.macs.value == 2 * 4 * 4 * 9 * 64


def test_the_model_is_left_as_found():
    model = torchvision.models.resnet18()
    model.layer1.eval()
    before = {name: module.training for name, module in model.named_modules()}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    inspect(model, (3, 64, 64), sizes="any")
    assert {name: module.training for name, module in model.named_modules()} == before
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_shapes_are_those_of_a_real_forward_pass(cifar_net):
    real = []
    x = torch.zeros(2, 3, 32, 32)
    for layer in cifar_net:
        x = layer(x)
        real.append(tuple(x.shape))
    assert [row.output_shape for row in inspect(cifar_net, (2, 3, 32, 32)).ops] == real


def test_a_table_that_stopped_early_does_not_know_what_is_unused() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) if x.mean() > 0 else -x

    table = inspect(Branches(), (3, 8, 8))

    assert table.totals.unused_parameters is None
    assert not any("not used" in note for note in table.notes)
