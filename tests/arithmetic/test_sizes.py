"""Sizes against PyTorch itself, on random configurations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from foveal.arithmetic import (
    adaptive_windows,
    convolution_size,
    effective_kernel,
    interpolation_size,
    padding_pair,
    pooling_size,
    tensorflow_same_padding,
    transposed_convolution_size,
)
from foveal.errors import UsageError

SIZES = st.integers(1, 40)
KERNELS = st.integers(1, 7)
STRIDES = st.integers(1, 5)
DILATIONS = st.integers(1, 4)
QUICK = settings(max_examples=50, deadline=None)


def line(size: int) -> torch.Tensor:
    return torch.zeros(1, 1, size)


@QUICK
@given(SIZES, KERNELS, STRIDES, st.integers(0, 5), DILATIONS)
def test_a_convolution_is_as_long_as_in_pytorch(size, kernel, stride, padding, dilation):
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)

    expected = functional.conv1d(
        line(size), line(kernel), stride=stride, padding=padding, dilation=dilation
    )

    found = convolution_size(size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    assert found == expected.shape[-1]


@QUICK
@given(SIZES, KERNELS, DILATIONS)
def test_padding_same_keeps_the_size(size, kernel, dilation):
    found = convolution_size(size, kernel=kernel, padding="same", dilation=dilation)

    assert found == size


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@QUICK
@given(SIZES, KERNELS, DILATIONS)
def test_padding_same_puts_the_odd_zero_where_pytorch_does(size, kernel, dilation):
    before, after = padding_pair("same", kernel=kernel, dilation=dilation)
    taps = torch.arange(1.0, kernel + 1).view(1, 1, -1)
    picture = torch.rand(1, 1, size, dtype=torch.float32)

    padded = functional.conv1d(functional.pad(picture, (before, after)), taps, dilation=dilation)

    same = functional.conv1d(picture, taps, padding="same", dilation=dilation)
    torch.testing.assert_close(padded, same)


@QUICK
@given(SIZES, KERNELS, STRIDES, st.integers(0, 3), st.integers(0, 4), DILATIONS)
def test_a_transposed_convolution_is_as_long_as_in_pytorch(
    size, kernel, stride, padding, output_padding, dilation
):
    assume(output_padding < max(stride, dilation))
    span = dilation * (kernel - 1) + 1
    assume((size - 1) * stride - 2 * padding + span + output_padding >= 1)

    expected = functional.conv_transpose1d(
        line(size),
        line(kernel),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )

    found = transposed_convolution_size(
        size,
        kernel=kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )
    assert found == expected.shape[-1]


@QUICK
@given(SIZES, KERNELS, STRIDES, st.integers(0, 3), DILATIONS, st.sampled_from(["floor", "ceil"]))
def test_pooling_is_as_long_as_in_pytorch(size, kernel, stride, padding, dilation, rounding):
    assume(padding <= kernel // 2)
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)

    expected = functional.max_pool1d(
        line(size), kernel, stride, padding, dilation, ceil_mode=rounding == "ceil"
    )

    found = pooling_size(
        size,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
    )
    assert found == expected.shape[-1]


@QUICK
@given(SIZES, SIZES)
def test_adaptive_windows_average_what_pytorch_averages(size, output_size):
    picture = torch.rand(size, dtype=torch.float64)

    means = [picture[a:b].mean() for a, b in adaptive_windows(size, output_size)]

    expected = functional.adaptive_avg_pool1d(picture.view(1, 1, -1), output_size)
    torch.testing.assert_close(torch.stack(means), expected.flatten())


@QUICK
@given(SIZES, st.sampled_from([0.3, 0.5, 1.0, 1.5, 2.0, 3.0]))
def test_interpolation_is_as_long_as_in_pytorch(size, scale):
    assume(int(size * scale) >= 1)

    expected = functional.interpolate(line(size), scale_factor=scale)

    assert interpolation_size(size, scale=scale) == expected.shape[-1]


@QUICK
@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_tensorflow_same_padding_divides_the_size_by_the_stride(size, kernel, stride, dilation):
    padding = tensorflow_same_padding(size, kernel=kernel, stride=stride, dilation=dilation)

    found = convolution_size(size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    assert found == -(-size // stride)


def test_a_dilated_kernel_spans_its_holes():
    assert effective_kernel(3, dilation=2) == 3 + (3 - 1) * (2 - 1)


def test_a_kernel_that_does_not_fit_names_what_is_missing():
    with pytest.raises(UsageError, match=r"kernel of 3 with dilation 2 spans 5.*only 4") as caught:
        convolution_size(4, kernel=3, dilation=2)

    assert caught.value.next_step == "Give an input of at least 5, or pad more."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convolution_size(8, kernel=3, stride=0), "convolution: stride is 0"),
        (lambda: convolution_size(8, kernel=0), "kernel: kernel is 0"),
        (lambda: convolution_size(8, kernel=3, padding=-1), "padding: before is -1"),
        (lambda: convolution_size(8, kernel=3, stride=2, padding="same"), "'same' with stride"),
        (lambda: pooling_size(8, kernel=2, padding=2), "expected at most 1, half of the kernel"),
        (lambda: pooling_size(1, kernel=4), "spans 4, but the input of 1"),
        (
            lambda: transposed_convolution_size(4, kernel=2, stride=2, output_padding=2),
            "output_padding is 2, expected less than 2",
        ),
        (lambda: transposed_convolution_size(1, kernel=1, padding=2), "gives a size of -3"),
        (lambda: interpolation_size(1, scale=0.5), "1 times 0.5 gives 0"),
        (lambda: adaptive_windows(4, 0), "adaptive pooling: output_size is 0"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
