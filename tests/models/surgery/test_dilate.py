"""The finer map holds the coarse one exactly."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn
from torchvision.models import vgg
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from foveal.errors import ModelError, UsageError
from foveal.graph import trace
from foveal.models.surgery import dilate, shared_positions

# Odd sizes, so that borders fall differently along the two axes.
SHAPE = (3, 97, 129)


def map_of(net: nn.Module, path: str, x: torch.Tensor) -> torch.Tensor:
    results: list[torch.Tensor] = []
    layer = net.get_submodule(path)
    with (
        layer.register_forward_hook(lambda _, args, result: results.append(result)),
        torch.no_grad(),
    ):
        net(x)
    return results[0]


def last_op(net: nn.Module, path: str) -> str:
    inside = [op for op in trace(net, SHAPE).ops if f"{op.module_path}.".startswith(f"{path}.")]
    return inside[-1].name


def compare(net: nn.Module, output_stride: int, path: str) -> tuple[float, float]:
    """Error at the shared positions, borders included, and the map's growth in height."""
    changed = dilate(net, output_stride, input_shape=SHAPE)
    x = torch.randn(1, *SHAPE)
    old, new = map_of(net, path, x), map_of(changed, path, x)
    positions = shared_positions(trace(net, SHAPE), trace(changed, SHAPE), last_op(net, path))
    error = (new[(..., *positions)] - old).abs().max() / old.abs().max()
    return float(error), new.shape[2] / old.shape[2]


CASES = [
    (lambda: ResNet(BasicBlock, [1, 1, 1, 1]), "layer4", 8),
    (lambda: ResNet(Bottleneck, [1, 1, 1, 1]), "layer4", 16),
    # TensorFlow's padding, which depends on stride and dilation.
    (lambda: timm.create_model("tf_efficientnet_lite0"), "conv_head", 16),
    (lambda: torchvision.models.mobilenet_v2(width_mult=0.25), "features", 4),
    # Strides of pooling alone, with even kernels.
    (lambda: vgg.make_layers(vgg.cfgs["A"]), "20", 8),
    # Average pooling between dense blocks.
    (lambda: torchvision.models.densenet121(), "features", 16),
    # Layer norm over channels, which come last at times.
    (lambda: timm.create_model("convnext_atto"), "stages", 16),
    # Channels shuffled by reshaping.
    (lambda: torchvision.models.shufflenet_v2_x0_5(), "conv5", 8),
    # Max pooling beside convolutions, padded more than PyTorch's would.
    (lambda: torchvision.models.googlenet(init_weights=False), "inception5b", 16),
]


@pytest.mark.parametrize(
    ("make", "path", "output_stride"),
    [
        pytest.param(*case, id=f"{number}", marks=[pytest.mark.slow] if number in {5, 8} else [])
        for number, case in enumerate(CASES)
    ],
)
def test_values_at_the_shared_positions_are_the_same(make, path, output_stride) -> None:
    torch.manual_seed(0)
    error, growth = compare(make().eval(), output_stride, path)
    assert error < 1e-5
    assert growth > 1.5


@pytest.mark.parametrize(
    ("flags", "output_stride"), [([False, True, True], 8), ([False, False, True], 16)]
)
def test_it_is_what_torchvision_builds(flags, output_stride) -> None:
    torch.manual_seed(0)
    plain = ResNet(Bottleneck, [1, 2, 1, 2]).eval()
    theirs = ResNet(Bottleneck, [1, 2, 1, 2], replace_stride_with_dilation=flags).eval()
    theirs.load_state_dict(plain.state_dict())
    ours = dilate(plain, output_stride, input_shape=SHAPE)
    x = torch.randn(1, *SHAPE)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("output_stride", [8, 16])
def test_it_is_what_timm_builds(output_stride) -> None:
    torch.manual_seed(0)
    plain = timm.create_model("resnet18", num_classes=5).eval()
    theirs = timm.create_model("resnet18", num_classes=5, output_stride=output_stride).eval()
    theirs.load_state_dict(plain.state_dict())
    ours = dilate(plain, output_stride, input_shape=SHAPE)
    x = torch.randn(1, *SHAPE)
    assert torch.equal(ours(x), theirs(x))


def test_parameters_and_names_are_the_same(resnet) -> None:
    changed = dilate(resnet, 2, input_shape=SHAPE)
    before, after = resnet.state_dict(), changed.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_stride_that_is_not_reached_changes_nothing(resnet) -> None:
    assert repr(dilate(resnet, 32, input_shape=SHAPE)) == repr(resnet)


def test_a_stride_of_four_may_be_halved() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 5, 4, 2), nn.Conv2d(4, 4, 3, 1, 1))
    changed = dilate(net, 2, input_shape=SHAPE)
    assert (changed[0].stride, changed[1].dilation, changed[1].padding) == ((2, 2),) * 3


# By hand: y = x1 + x2 of every second pair, then the difference of neighbours at a gap of 2.
def test_a_chain_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, (1, 2), (1, 2)), nn.Conv2d(1, 1, (1, 2)))
    for layer, taps in zip(net, ([1.0, 1.0], [-1.0, 1.0]), strict=True):
        layer.weight.data = torch.tensor(taps).reshape(1, 1, 1, 2)
        layer.bias.data.zero_()
    x = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]).reshape(1, 1, 1, 6)
    assert net(x).flatten().tolist() == [12 - 3, 48 - 12]
    finer = dilate(net, 1, input_shape=(1, 1, 6))
    assert finer(x).flatten().tolist() == [12 - 3, 24 - 6, 48 - 12]


def test_squeeze_and_excitation_is_said_to_change_values() -> None:
    with torch.device("meta"):
        net = torchvision.models.mobilenet_v3_small()
    changed = dilate(net, 16, input_shape=SHAPE)
    with pytest.raises(ModelError, match="something before it reads the whole map"):
        shared_positions(trace(net, SHAPE), trace(changed, SHAPE), last_op(net, "features"))


def test_group_norm_is_said_to_change_values() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 3))
    changed = dilate(net, 1, input_shape=SHAPE)
    with pytest.raises(ModelError, match="1 takes statistics over the whole map"):
        shared_positions(trace(net, SHAPE), trace(changed, SHAPE), "2")


def test_branches_that_no_longer_fit_are_refused() -> None:
    with torch.device("meta"):
        net = timm.create_model("resnet50d")
    with pytest.raises(ModelError, match=r"no longer fits together .*'layer4.0'"):
        dilate(net, 16, input_shape=SHAPE)


def test_average_pooling_of_a_finer_map_is_refused() -> None:
    with torch.device("meta"):
        net = torchvision.models.densenet121()
    with pytest.raises(ModelError, match=r"transition3.pool' \(avg_pool\) cannot read a finer map"):
        dilate(net, 8, input_shape=SHAPE)


# Swin leaves out patches by slicing, which no setting undoes.
def test_strides_that_are_no_settings_are_not_passed_over() -> None:
    with torch.device("meta"):
        net = torchvision.models.swin_t()
    with pytest.raises(ModelError, match=r"getitem' \(slice\) changes the resolution"):
        dilate(net, 16, input_shape=(3, 224, 224))


def test_places_moved_to_channels_are_not_passed_over() -> None:
    class SpaceToDepth(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            num_images, channels, height, width = x.shape
            x = x.reshape(num_images, channels, height // 2, 2, width // 2, 2)
            return x.permute(0, 1, 3, 5, 2, 4).reshape(num_images, -1, height // 2, width // 2)

    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), SpaceToDepth(), nn.Conv2d(16, 4, 3))
    with pytest.raises(ModelError, match="still has one unit to 2 pixels"):
        dilate(net, 1, input_shape=(3, 24, 24))


def test_a_stride_in_between_is_refused(resnet) -> None:
    with pytest.raises(UsageError, match="An output stride of 3 falls inside the stride"):
        dilate(resnet, 3, input_shape=SHAPE)
