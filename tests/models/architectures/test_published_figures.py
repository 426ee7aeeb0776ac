"""Parameters, multiply-adds and receptive fields against what the papers print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from foveal.inspection import Inspection, inspect
from foveal.models import build
from foveal.models.architectures import CifarResNet, MobileNetV1


def table(make: Callable[..., nn.Module], size: int, *args: Any, **options: Any) -> Inspection:
    with torch.device("meta"):
        return inspect(make(*args, **options).eval(), (3, size, size))


def count(name: str, **options: Any) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(name, **options).parameters())


@pytest.fixture(scope="module")
def alexnet_2012() -> nn.Module:
    return build("alexnet_2012", num_classes=5)


def test_alexnets_maps_have_the_papers_numbers_of_neurons() -> None:
    """Figure 2's caption: 186,624 – 64,896 – 64,896 – 43,264 – 4096 – 4096 – 1000."""
    rows = table(build, 224, "alexnet_2012").ops
    seen = [
        row.output_shape[1]
        * (row.output_shape[2] * row.output_shape[3] if len(row.output_shape) == 4 else 1)
        for row in rows
        if row.kind in ("conv", "linear")
    ]
    assert seen[1:] == [186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]


def test_alexnets_halves_read_half_of_the_channels(alexnet_2012) -> None:
    convolutions = [m for m in alexnet_2012.modules() if isinstance(m, nn.Conv2d)]
    assert [tuple(m.weight.shape) for m in convolutions] == [
        (96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3),
    ]  # fmt: skip


def test_alexnet_has_60_million_parameters() -> None:
    """Abstract; the sum by layers, weights and biases."""
    convolutions = 96 * 3 * 121 + 256 * 48 * 25 + 384 * 256 * 9 + 384 * 192 * 9 + 256 * 192 * 9
    linear = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    biases = 96 + 256 + 384 + 384 + 256 + 4096 + 4096 + 1000
    assert count("alexnet_2012") == convolutions + linear + biases == 60_965_224


def test_alexnets_starting_biases_are_one_where_section_5_says(alexnet_2012) -> None:
    layers = [m for m in alexnet_2012.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    means = [float(layer.bias.detach().mean()) for layer in layers]
    assert means == [0, 1, 0, 1, 1, 1, 1, 0]


def test_alexnets_response_norm_is_the_formula_of_section_3_3(alexnet_2012) -> None:
    norm = next(m for m in alexnet_2012.modules() if isinstance(m, nn.LocalResponseNorm))
    torch.manual_seed(0)
    a = 20 * torch.randn(1, 8, 1, 1)
    squares = [float(sum(a[0, max(0, i - 2) : i + 3, 0, 0] ** 2)) for i in range(8)]
    expected = torch.stack([a[0, i, 0, 0] / (2 + 1e-4 * s) ** 0.75 for i, s in enumerate(squares)])
    torch.testing.assert_close(norm(a).flatten(), expected)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("vgg11", 133), ("vgg13", 133), ("vgg16_c", 134), ("vgg16", 138), ("vgg19", 144)],
)
def test_vggs_parameters_are_those_of_table_2(name: str, millions: int) -> None:
    assert round(count(name) / 1e6) == millions


def test_googlenets_modules_have_the_multiply_adds_of_table_1() -> None:
    """The column "ops", in millions. Its line 5a (54) does not follow from its own widths."""
    rows = table(build, 224, "googlenet_5x5").ops
    published = {
        "3a": 128,
        "3b": 304,
        "4a": 73,
        "4b": 88,
        "4c": 100,
        "4d": 119,
        "4e": 170,
        "5b": 71,
    }
    seen = {
        block: sum(r.macs.value for r in rows if r.name.startswith(f"inception{block}.")) / 1e6
        for block in published
    }
    assert seen == pytest.approx(published, abs=1)


@pytest.mark.parametrize(("module", "thousands"), [("inception3a", 159), ("inception3b", 380)])
def test_googlenets_first_modules_have_the_parameters_of_table_1(
    module: str, thousands: int
) -> None:
    """The table counts 1,024 as one K; the paper's layers have biases and no batch norm."""
    with torch.device("meta"):
        block = build("googlenet_5x5").get_submodule(module)
    layers = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    parameters = sum(m.weight.numel() + m.out_channels for m in layers)
    assert parameters / 1024 == pytest.approx(thousands, abs=1)


def test_network_in_network_has_the_parameters_of_its_layers() -> None:
    layers = [(3, 192, 25), (192, 160, 1), (160, 96, 1), (96, 192, 25), (192, 192, 1),
              (192, 192, 1), (192, 192, 9), (192, 192, 1), (192, 10, 1)]  # fmt: skip
    assert count("nin") == sum(a * b * k + b for a, b, k in layers) == 966_986


def test_network_in_network_averages_one_map_a_class() -> None:
    torch.manual_seed(0)
    network = build("nin", num_classes=4).eval()
    images = torch.randn(2, 3, 32, 32)
    maps = network.features(images)
    assert maps.shape == (2, 4, 8, 8)
    torch.testing.assert_close(network(images), maps.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_cifar_resnets_parameters_are_those_of_table_6(depth: int, millions: float) -> None:
    assert float(f"{count(f'resnet{depth}') / 1e6:.2g}") == millions


@pytest.mark.slow
def test_the_deepest_cifar_resnet_has_19_4_million_parameters() -> None:
    with torch.device("meta"):
        network = CifarResNet(1202)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 19.4


@pytest.mark.parametrize(("name", "billions"), [("resnet18", 1.8), ("resnet34", 3.6)])
def test_resnets_multiply_adds_are_those_of_table_1(name: str, billions: float) -> None:
    """Of the bottlenecks the table has fewer: its stride is in the first convolution."""
    macs = table(build, 224, name).totals.macs.value
    assert macs / 1e9 == pytest.approx(billions, abs=0.07)


def test_moving_the_stride_accounts_for_the_bottlenecks_difference_to_table_1() -> None:
    """3.8 billion in the paper; the first 1x1 and then the 3x3 of three stages at a quarter."""
    macs = table(build, 224, "resnet50").totals.macs.value
    first_1x1 = 56 * 56 * 256 * 128 + 28 * 28 * 512 * 256 + 14 * 14 * 1024 * 512
    assert (macs - 3 * first_1x1 // 4) / 1e9 == pytest.approx(3.8, abs=0.06)


def test_a_plain_network_costs_what_the_residual_one_does() -> None:
    plain, residual = table(build, 32, "plain56").totals, table(build, 32, "resnet56").totals
    assert (plain.parameters, plain.macs) == (residual.parameters, residual.macs)


@pytest.mark.parametrize(
    ("width", "size", "million_macs", "million_parameters"),
    [(1.0, 224, 569, 4.2), (0.75, 224, 325, 2.6), (0.5, 224, 149, 1.3), (0.25, 224, 41, 0.5),
     (1.0, 192, 418, 4.2), (1.0, 160, 290, 4.2), (1.0, 128, 186, 4.2)],
)  # fmt: skip
def test_mobilenets_figures_are_those_of_tables_6_and_7(
    width: float, size: int, million_macs: int, million_parameters: float
) -> None:
    totals = table(MobileNetV1, size, width=width).totals
    assert totals.macs.value / 1e6 == pytest.approx(million_macs, abs=1)
    assert round(totals.parameters / 1e6, 1) == million_parameters


@pytest.mark.parametrize(
    ("name", "pixels"), [("alexnet", 195), ("vgg16", 212), ("mobilenet_v1", 315)]
)
def test_receptive_fields_are_those_of_araujo_norris_and_sim(name: str, pixels: int) -> None:
    """Distill 2019, the table of well-known networks; theirs are TF-Slim's of the same layers."""
    assert table(build, 224, name).totals.receptive_field.size == (pixels, pixels)


def test_the_small_networks_shapes_are_those_of_its_exercise() -> None:
    rows = table(build, 32, "cifar_net").ops
    shapes = [row.output_shape[1:] for row in rows if row.kind != "activation"]
    assert shapes == [
        (32, 32, 32), (32, 16, 16), (64, 16, 16), (64, 8, 8), (128, 8, 8), (128, 1, 1),
        (128,), (10,),
    ]  # fmt: skip
