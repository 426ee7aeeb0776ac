"""A new head: what is before it stays, its start is known."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.models.surgery import replace_head

SHAPE = (3, 24, 24)


@pytest.mark.parametrize(
    ("make", "last"),
    [
        (lambda: torchvision.models.resnet18(), "fc"),
        (lambda: torchvision.models.squeezenet1_1(), "classifier.1"),
        (lambda: torchvision.models.mobilenet_v3_small(), "classifier.3"),
        (lambda: torchvision.models.vgg11(), "classifier.6"),
        (lambda: timm.create_model("efficientnet_lite0"), "classifier"),
        (lambda: timm.create_model("vit_tiny_patch16_224"), "head"),
        (lambda: timm.create_model("convnext_atto"), "head.fc"),
        (lambda: timm.create_model("vgg11"), "head.fc"),
    ],
)
def test_only_the_last_layer_of_a_published_network_differs(make, last) -> None:
    with torch.device("meta"):
        net = make()
    changed = replace_head(net, 7, input_shape=(3, 224, 224))
    before = {name: p.shape for name, p in net.named_parameters()}
    after = {name: p.shape for name, p in changed.named_parameters()}
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert differing == {f"{last}.weight", f"{last}.bias"}
    assert changed(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 7)


def features_of(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What the last layer reads."""
    read: list[torch.Tensor] = []
    last = net.get_submodule("fc")
    with last.register_forward_pre_hook(lambda _, args: read.append(args[0])):
        net(x)
    return read[0]


def test_everything_before_the_head_is_preserved(resnet) -> None:
    changed = replace_head(resnet, 3, input_shape=SHAPE)
    x = torch.randn(2, *SHAPE)
    assert torch.equal(features_of(changed, x), features_of(resnet, x))


def test_a_new_layer_starts_as_it_says(resnet) -> None:
    layer = replace_head(resnet, 1000, input_shape=SHAPE).fc
    bound = 8**-0.5
    assert layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)
    assert not layer.bias.any()


def test_another_seed_starts_elsewhere(resnet) -> None:
    first, second = (replace_head(resnet, 3, input_shape=SHAPE, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.fc.weight, second.fc.weight)


def test_averaging_reads_the_channel_means(flattening) -> None:
    changed = replace_head(flattening, 4, input_shape=SHAPE, pooling="average")
    x = torch.randn(2, *SHAPE)
    means = flattening[:3](x).mean((2, 3))
    torch.testing.assert_close(changed(x), changed[10](means))


def test_averaging_takes_any_size(flattening) -> None:
    changed = replace_head(flattening, 4, input_shape=SHAPE, pooling="average")
    assert changed(torch.randn(2, 3, 40, 56)).shape == (2, 4)


# TOPICS 18: VGG's three fully connected layers hold most of it.
def test_averaging_vgg_leaves_one_layer_of_its_channels() -> None:
    with torch.device("meta"):
        net = torchvision.models.vgg16()
    changed = replace_head(net, 1000, input_shape=(3, 224, 224), pooling="average")
    saved = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in changed.parameters())
    dense = 25088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert saved == dense - (512 * 1000 + 1000)


def test_averaging_a_head_of_convolutions() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 32, 12), nn.ReLU(),
        nn.Conv2d(32, 5, 1), nn.Flatten(),
    )  # fmt: skip
    changed = replace_head(net, 4, input_shape=SHAPE, pooling="average")
    x = torch.randn(2, *SHAPE)
    means = net[:2](x).mean((2, 3), keepdim=True)
    torch.testing.assert_close(changed(x), changed[4](means).flatten(1))


def test_averaging_keeps_a_head_that_pools(resnet) -> None:
    first, second = (
        replace_head(resnet, 3, input_shape=SHAPE, pooling=pooling)
        for pooling in ("average", "keep")
    )
    assert repr(first) == repr(second)


def test_the_models_own_count_follows() -> None:
    with torch.device("meta"):
        net = timm.create_model("resnet18")
    assert replace_head(net, 7, input_shape=(3, 64, 64)).num_classes == 7


def test_a_layer_without_bias_stays_without() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.append(nn.Linear(4, 5, bias=False))
    assert replace_head(net, 2, input_shape=SHAPE)[3].bias is None


def test_an_unknown_head_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match="not recognised: before the logits stands '0'"):
        replace_head(nn.Sequential(nn.Conv2d(3, 4, 3)), 2, input_shape=SHAPE)


def test_wrong_choices_are_refused(resnet) -> None:
    with pytest.raises(UsageError, match="num_classes is 0"):
        replace_head(resnet, 0, input_shape=SHAPE)
    with pytest.raises(UsageError, match="pooling is 'max'"):
        replace_head(resnet, 2, input_shape=SHAPE, pooling="max")
