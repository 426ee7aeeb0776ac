"""What follows from the definitions, where no other library has the network."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.inspection import inspect
from foveal.models import CATALOGUE, build, find_architecture
from foveal.models.architectures import VGG, CifarResNet, DenseNet, GoogLeNet, MobileNetV1, ResNet
from foveal.models.weights import rename_by_order

# One of each class, the smallest.
FAMILIES = (
    *("alexnet_2012", "alexnet", "nin", "vgg11", "googlenet", "resnet18", "resnet20"),
    *("densenet121", "mobilenet_v1", "cifar_net"),
)


def silence_residuals(network: nn.Module) -> None:
    """Makes every F(x) zero: the last norm of each block multiplies by 0."""
    for name, module in network.named_modules():
        if name.startswith("layer") and name.endswith(".bn2"):
            nn.init.zeros_(module.weight)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_mobilenet_computes_what_timms_does(pictures) -> None:
    torch.manual_seed(0)
    reference = timm.create_model("mobilenetv1_100", num_classes=7).eval()
    for module in reference.modules():
        if isinstance(getattr(module, "act", None), nn.ReLU6):  # the paper has ReLU
            module.act = nn.ReLU()
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
    network = MobileNetV1(7).eval()
    weights = rename_by_order(reference.state_dict(), network.state_dict(), origin="timm")
    network.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(network(pictures), reference(pictures), rtol=1e-5, atol=1e-5)


def test_with_silent_blocks_a_residual_network_passes_its_input_on(pictures) -> None:
    """Option A: every fourth position of the first map arrives, the new channels are zero."""
    torch.manual_seed(0)
    network = CifarResNet(20).eval()
    silence_residuals(network)
    arrived = []
    network.avgpool.register_forward_pre_hook(lambda _, maps: arrived.append(maps[0]))
    with torch.no_grad():
        first = network.bn1(network.conv1(pictures)).relu()
        network(pictures)
    assert torch.equal(arrived[0][:, :16], first[:, :, ::4, ::4])
    assert not arrived[0][:, 16:].any()


def test_with_silent_blocks_a_plain_network_forgets_its_input(pictures) -> None:
    network = CifarResNet(20, shortcut="none").eval()
    silence_residuals(network)
    with torch.no_grad():
        first, second = network(pictures)
    assert torch.equal(first, second)


def test_a_plain_network_has_no_shortcut_to_load() -> None:
    with torch.device("meta"):
        assert not [name for name in ResNet(18, shortcut="none").state_dict() if "down" in name]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(("output_stride", "step"), [(16, 2), (8, 4)])
def test_a_dilated_resnet_has_the_strided_ones_map_between_new_places(
    depth: int, output_stride: int, step: int
) -> None:
    torch.manual_seed(0)
    strided = ResNet(depth, num_classes=3).eval()
    dilated = ResNet(depth, num_classes=3, output_stride=output_stride).eval()
    dilated.load_state_dict(strided.state_dict())
    maps = []
    for network in (strided, dilated):
        network.avgpool.register_forward_pre_hook(lambda _, found: maps.append(found[0]))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        strided(images)
        dilated(images)
    assert maps[1].shape[-1] == 64 // output_stride
    torch.testing.assert_close(maps[1][:, :, ::step, ::step], maps[0], rtol=1e-4, atol=1e-4)


def test_one_of_each_class_is_tried() -> None:
    classes = {getattr(entry.builder, "func", entry.builder) for entry in CATALOGUE}
    tried = {find_architecture(name).builder for name in FAMILIES}
    assert {getattr(builder, "func", builder) for builder in tried} == classes


@pytest.mark.parametrize("name", FAMILIES)
def test_any_number_of_classes_and_channels(name: str) -> None:
    shape = find_architecture(name).input_shape
    with torch.device("meta"):
        network = build(name, num_classes=3, in_channels=1).eval()
        assert network(torch.empty(2, 1, *shape[1:])).shape == (2, 3)


@pytest.mark.parametrize("option", ["num_classes", "in_channels"])
@pytest.mark.parametrize("name", FAMILIES)
def test_one_class_or_channel_too_few_is_refused(name: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is 0, expected at least 1"):
        build(name, **{option: 0})


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("depth", [18, 50])
def test_dilating_instead_of_striding_keeps_the_receptive_field(
    depth: int, output_stride: int
) -> None:
    with torch.device("meta"):
        network = ResNet(depth, output_stride=output_stride).eval()
    seen = inspect(network, (3, 224, 224)).totals.receptive_field
    expected = find_architecture(f"resnet{depth}").receptive_field
    assert (seen.size[0], seen.effective_stride[0]) == (expected, output_stride)


@pytest.mark.parametrize(
    ("name", "smallest"),
    [("alexnet", 63), ("vgg11", 32), ("googlenet", 15), ("densenet121", 29), ("cifar_net", 4)],
)
def test_the_smallest_picture_is_the_one_that_the_docstring_says(name: str, smallest: int) -> None:
    with torch.device("meta"):
        network = build(name).eval()
        assert network(torch.empty(1, 3, smallest, smallest)).shape[0] == 1
        with pytest.raises(RuntimeError, match="too small"):
            network(torch.empty(1, 3, smallest - 1, smallest - 1))


@pytest.mark.parametrize("name", ["alexnet_2012", "nin", "resnet20", "plain20", "mobilenet_v1"])
def test_the_loss_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=4)
    size = find_architecture(name).input_shape[1]
    labels = torch.tensor([0, 1, 2, 3])
    nn.functional.cross_entropy(network(torch.randn(4, 3, size, size)), labels).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda: CifarResNet(21), r"depth is 21, expected 6n \+ 2", "depths are 20 and 26"),
        (lambda: CifarResNet(19), r"depth is 19, expected 6n \+ 2", "depths are 14 and 20"),
        (lambda: CifarResNet(2), r"depth is 2, expected 6n \+ 2", "depth is 8"),
        (lambda: CifarResNet(7), r"depth is 7, expected 6n \+ 2", "depth is 8"),
        (lambda: CifarResNet(-4), r"depth is -4, expected 6n \+ 2", "depth is 8"),
        (lambda: ResNet(20), "depth is 20, expected one of 18, 34", "nearest is depth=18"),
        (lambda: ResNet(18, output_stride=4), "output_stride is 4", "nearest is output_stride=8"),
        (lambda: ResNet(18, shortcut="pading"), "shortcut is 'pading'", "shortcut='padding'"),
        (lambda: DenseNet(200), "depth is 200, expected one of 121", "nearest is depth=201"),
        (lambda: VGG("F"), "column is 'F', expected one of A, B, C, D, E", ""),
        (lambda: GoogLeNet(wide_kernel=4), "wide_kernel is 4, expected one of 3, 5", "nearest"),
        (lambda: GoogLeNet(in_channels=1, rescale_input=True), "in_channels is 1", "=3"),
        (lambda: MobileNetV1(width=0.0), "width is 0.0, expected at least 1/32", "0.25"),
    ],
)
def test_what_the_paper_does_not_have_is_answered_with_what_is_near(make, message, hint) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert hint in str(caught.value)
