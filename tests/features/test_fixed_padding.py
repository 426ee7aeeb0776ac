"""TensorFlow's "same" padding, fixed to one size, gives bit for bit what timm computes."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import Conv2dSame
from timm.layers.pool2d_same import MaxPool2dSame
from torch import nn

from foveal.features import export_onnx
from foveal.features.onnx_file import with_fixed_padding
from foveal.models import load_backbone


@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    bias=st.booleans(),
)
def test_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    bias: bool,
) -> None:
    torch.manual_seed(0)
    layer = Conv2dSame(3, 6, kernel, stride, dilation=dilation, groups=3, bias=bias)
    network = nn.Sequential(layer).eval()
    images = torch.randn(2, 3, *size)
    assert torch.equal(with_fixed_padding(network, size)(images), network(images))


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (15, 15)])
def test_pooling_pads_with_nothing_that_could_win(size: tuple[int, int]) -> None:
    network = nn.Sequential(MaxPool2dSame(3, 2)).eval()
    images = -1 - torch.rand(2, 3, *size)
    assert torch.equal(with_fixed_padding(network, size)(images), network(images))


def test_the_network_given_is_left_as_found() -> None:
    network = nn.Sequential(Conv2dSame(3, 4, 3, 2)).eval()
    with_fixed_padding(network, (9, 9))
    assert isinstance(network[0], Conv2dSame)
    assert not network[0]._forward_pre_hooks


def test_a_network_without_such_padding_is_not_copied() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    assert with_fixed_padding(network, (9, 9)) is network


def test_the_runtime_folds_it_away(tmp_path: Path) -> None:
    content = export_onnx(load_backbone().feature_network(), (64, 64), output_names=["features"])
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    left = {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}
    assert left.isdisjoint({"Pad", "Shape", "Ceil", "Clip"})
