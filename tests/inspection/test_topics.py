"""Figures that a course on convolutional networks teaches, read off the table."""

from __future__ import annotations

import pytest
from torch import nn

from foveal.inspection import compare, inspect


def test_topic_2_output_shape():
    table = inspect(nn.Conv2d(3, 64, 5, stride=2, padding=2), (1, 3, 128, 128))
    assert table.ops[0].output_shape == (1, 64, 64, 64)


def test_topic_4_parameters_of_a_convolution():
    assert inspect(nn.Conv2d(64, 128, 3), (64, 8, 8)).totals.parameters == 73_856


def test_topic_5_three_small_kernels_against_a_large_one():
    channels = 16
    small = nn.Sequential(
        *(
            layer
            for _ in range(3)
            for layer in (nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.ReLU())
        )
    )
    large = nn.Sequential(nn.Conv2d(channels, channels, 7, padding=3, bias=False), nn.ReLU())
    contrast = compare(inspect(small, (16, 32, 32)), inspect(large, (16, 32, 32)))
    assert contrast.contrast("receptive field").first.value == 7
    assert contrast.contrast("receptive field").second.value == 7
    assert contrast.contrast("parameters").first.value == 27 * channels**2
    assert contrast.contrast("parameters").second.value == 49 * channels**2
    assert contrast.contrast("nonlinearities").first.value == 3
    assert contrast.contrast("nonlinearities").second.value == 1


def test_topic_7_a_pointwise_convolution_sees_one_pixel():
    table = inspect(nn.Conv2d(256, 64, 1, bias=False), (256, 14, 14))
    assert table.ops[0].receptive_field.size == (1, 1)
    assert table.totals.parameters == 256 * 64


def test_topic_9_separable_against_dense(separable):
    dense = nn.Conv2d(256, 256, 3, padding=1, bias=False)
    ratio = compare(inspect(separable, (256, 16, 16)), inspect(dense, (256, 16, 16)))
    assert 1 / ratio.contrast("MACs").ratio == pytest.approx(1 / 256 + 1 / 9)
    assert 8 < ratio.contrast("MACs").ratio < 9


def test_topic_15_a_stride_doubles_what_later_layers_add():
    def field(stride: int) -> int | None:
        layers = [nn.Conv2d(1, 1, 3, stride=stride), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)]
        return inspect(nn.Sequential(*layers), (1, 64, 64)).totals.receptive_field.size[0]

    assert (field(1), field(2)) == (7, 3 + 2 * 2 + 2 * 2)


def test_topic_17_bottleneck():
    dense = nn.Conv2d(256, 256, 3, padding=1, bias=False)
    bottleneck = nn.Sequential(
        nn.Conv2d(256, 64, 1, bias=False),
        nn.Conv2d(64, 64, 3, padding=1, bias=False),
        nn.Conv2d(64, 256, 1, bias=False),
    )
    contrast = compare(inspect(bottleneck, (256, 8, 8)), inspect(dense, (256, 8, 8)))
    parameters = contrast.contrast("parameters")
    assert (parameters.first.value, parameters.second.value) == (69_632, 589_824)
    assert parameters.ratio == pytest.approx(8.5, abs=0.05)


def test_topic_18_the_fully_connected_layers_of_vgg(inspected):
    table = inspected("torchvision:vgg16")
    assert table.totals.parameters == 138_357_544
    assert table.stages[-1].name == "classifier"
    assert table.stages[-1].parameters == 25088 * 4096 + 4096 + 4096 * 4097 + 1000 * 4097


def test_topic_18_global_pooling_keeps_batch_and_channels():
    table = inspect(nn.AdaptiveAvgPool2d(1), (8, 512, 7, 7))
    assert table.ops[0].output_shape == (8, 512, 1, 1)
    assert table.ops[0].receptive_field.is_global == (True, True)


def test_topic_19_shape_by_shape(cifar_net):
    shapes = [row.output_shape[1:] for row in inspect(cifar_net, (3, 32, 32)).ops]
    assert shapes == [
        (32, 32, 32), (32, 32, 32), (32, 16, 16), (64, 16, 16), (64, 16, 16), (64, 8, 8),
        (128, 8, 8), (128, 8, 8), (128, 1, 1), (128,), (10,),
    ]  # fmt: skip


def test_topic_20_basic_and_bottleneck_blocks(inspected):
    basic = inspected("torchvision:resnet34")
    bottleneck = inspected("torchvision:resnet50")
    contrast = compare(basic, bottleneck)
    assert (
        contrast.contrast("layers with weights").first.value == 33 + 3 + 1
    )  # convolutions, shortcuts, classifier
    kinds = [row.kind for row in bottleneck.ops if row.name.startswith("layer1.1.")]
    assert kinds[-2:] == ["add", "activation"]


def test_topic_23_groups():
    def parameters(groups: int) -> int:
        layer = nn.Conv2d(64, 64, 3, groups=groups, bias=False)
        return inspect(layer, (64, 8, 8)).totals.parameters

    assert (parameters(1), parameters(2), parameters(64)) == (64 * 64 * 9, 64 * 32 * 9, 64 * 9)
