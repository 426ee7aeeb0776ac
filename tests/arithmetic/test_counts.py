"""Parameters and MACs against PyTorch's modules and counting by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from foveal.arithmetic import (
    attention_macs,
    convolution_macs,
    convolution_parameters,
    linear_macs,
    linear_parameters,
    matmul_macs,
    normalisation_parameters,
    transposed_convolution_macs,
)
from foveal.errors import UsageError

WIDTHS = st.integers(1, 6)
QUICK = settings(max_examples=25, deadline=None)
KERNEL = st.tuples(st.integers(1, 4), st.integers(1, 4))


def count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def pytorch_macs(module: torch.nn.Module, *shape: int) -> int:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        module.to("meta")(torch.empty(shape))
    return counter.get_total_flops() // 2


@QUICK
@given(WIDTHS, WIDTHS, st.integers(1, 3), KERNEL, st.booleans())
def test_a_convolution_has_the_parameters_of_pytorchs(inputs, outputs, groups, kernel, bias):
    module = torch.nn.Conv2d(inputs * groups, outputs * groups, kernel, groups=groups, bias=bias)

    found = convolution_parameters(
        inputs * groups,
        outputs * groups,
        kernel=kernel,
        groups=groups,
        bias="bias" if bias else "no bias",
    )
    assert found == count_parameters(module)


@QUICK
@given(WIDTHS, WIDTHS, st.integers(1, 3), KERNEL)
def test_a_transposed_convolution_has_as_many(inputs, outputs, groups, kernel):
    module = torch.nn.ConvTranspose2d(inputs * groups, outputs * groups, kernel, groups=groups)

    found = convolution_parameters(inputs * groups, outputs * groups, kernel=kernel, groups=groups)

    assert found == count_parameters(module)


@QUICK
@given(WIDTHS, WIDTHS, st.integers(1, 3), KERNEL, st.integers(4, 9))
def test_convolution_macs_are_half_of_pytorchs_flops(inputs, outputs, groups, kernel, size):
    module = torch.nn.Conv2d(inputs * groups, outputs * groups, kernel, groups=groups)

    found = convolution_macs(
        inputs * groups,
        outputs * groups,
        kernel=kernel,
        groups=groups,
        output_size=(size - kernel[0] + 1, size - kernel[1] + 1),
    )
    assert found == pytorch_macs(module, 1, inputs * groups, size, size)


def test_transposed_convolution_macs_count_every_input_value():
    # 8 channels of 5 x 5 values, each spread by 2 x 2 taps into 4 channels.
    found = transposed_convolution_macs(8, 4, kernel=(2, 2), input_size=(5, 5))

    assert found == 8 * 5 * 5 * 2 * 2 * 4


def test_three_small_kernels_need_fewer_parameters_than_one_large():
    three = 3 * convolution_parameters(64, 64, kernel=(3, 3), bias="no bias")
    one = convolution_parameters(64, 64, kernel=(7, 7), bias="no bias")

    assert (three, one) == (27 * 64**2, 49 * 64**2)


def test_a_bottleneck_needs_an_eighth_of_the_parameters():
    narrow = (
        convolution_parameters(256, 64, kernel=(1, 1), bias="no bias")
        + convolution_parameters(64, 64, kernel=(3, 3), bias="no bias")
        + convolution_parameters(64, 256, kernel=(1, 1), bias="no bias")
    )

    wide = convolution_parameters(256, 256, kernel=(3, 3), bias="no bias")
    assert (narrow, wide) == (69_632, 589_824)


@QUICK
@given(WIDTHS, WIDTHS)
def test_a_linear_layer_has_the_parameters_of_pytorchs(inputs, outputs):
    assert linear_parameters(inputs, outputs) == count_parameters(torch.nn.Linear(inputs, outputs))


def test_linear_macs_count_every_position():
    assert linear_macs(16, 32, positions=49) == pytorch_macs(torch.nn.Linear(16, 32), 1, 49, 16)


def test_batch_norm_has_a_scale_and_a_shift_per_channel():
    assert normalisation_parameters(64) == count_parameters(torch.nn.BatchNorm2d(64))


def test_a_matrix_product_multiplies_every_row_with_every_column():
    assert matmul_macs(2, 3, 4, batch=5) == 5 * 2 * 4 * 3


def test_attention_is_two_matrix_products_per_head():
    found = attention_macs(10, 7, query_width=4, value_width=6, heads=2)

    assert found == 2 * (matmul_macs(10, 4, 7) + matmul_macs(10, 7, 6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convolution_parameters(6, 4, kernel=(3, 3), groups=4), "in_channels is 6, which"),
        (lambda: convolution_parameters(4, 6, kernel=(3, 3), groups=4), "out_channels is 6, which"),
        (lambda: convolution_parameters(4, 4, kernel=(3, 0)), "convolution: kernel is 0"),
        (lambda: convolution_parameters(4, 4, kernel=(3, 3), groups=0), "groups is 0"),
        (lambda: convolution_macs(4, 4, kernel=(3, 3), output_size=(0, 1)), "output_size is 0"),
        (lambda: linear_parameters(0, 4), "linear: in_features is 0"),
    ],
)
def test_counts_that_cannot_be_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
