"""Receptive fields against gradients measured in PyTorch, and against the literature."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from foveal.arithmetic import AxisField, Positions, tensorflow_same_padding, union
from foveal.errors import UsageError

SIZE = 300  # wide enough that the unit in the middle never meets an edge
QUICK = settings(max_examples=40, deadline=None)
KERNELS = st.integers(1, 5)
STRIDES = st.integers(1, 3)
DILATIONS = st.integers(1, 3)


def seen_by(output: torch.Tensor, picture: torch.Tensor, unit: int) -> set[int]:
    (gradient,) = torch.autograd.grad(output.flatten()[unit], picture, retain_graph=True)
    return set(gradient.flatten().nonzero().flatten().tolist())


def picture() -> torch.Tensor:
    return torch.ones(1, 1, SIZE, dtype=torch.float64, requires_grad=True)


def ones(size: int) -> torch.Tensor:
    return torch.ones(1, 1, size, dtype=torch.float64)


@st.composite
def layers(draw):
    """Draws layers as (name, settings)."""
    kinds = st.sampled_from(["conv", "transposed", "pool"])
    found = []
    for kind in draw(st.lists(kinds, min_size=1, max_size=3)):
        kernel, stride = draw(KERNELS), draw(STRIDES)
        dilation = 1 if kind == "pool" else draw(DILATIONS)
        padding = draw(st.integers(0, kernel // 2))
        found.append((kind, kernel, stride, padding, dilation))
    return found


def apply(value: torch.Tensor, layer: tuple[str, int, int, int, int]) -> torch.Tensor:
    kind, kernel, stride, padding, dilation = layer
    if kind == "pool":
        return functional.avg_pool1d(value, kernel, stride, padding)
    function = functional.conv1d if kind == "conv" else functional.conv_transpose1d
    return function(value, ones(kernel), stride=stride, padding=padding, dilation=dilation)


def follow(field: AxisField, layer: tuple[str, int, int, int, int]) -> AxisField:
    kind, kernel, stride, padding, dilation = layer
    through = (
        field.through_transposed_convolution if kind == "transposed" else field.through_convolution
    )
    return through(kernel=kernel, stride=stride, padding=padding, dilation=dilation)


@QUICK
@given(layers(), st.integers(-1, 1))
def test_a_unit_sees_what_the_gradient_says(stack, distance):
    source = picture()
    value, field = source, AxisField.of_input()
    for layer in stack:
        value, field = apply(value, layer), follow(field, layer)

    unit = value.shape[-1] // 2 + distance
    expected = seen_by(value, source, unit)

    assert set(field.positions(unit).elements()) == expected


@QUICK
@given(st.integers(1, 12), st.integers(1, 12))
def test_adaptive_pooling_sees_what_the_gradient_says(size, output_size):
    source = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    value = functional.adaptive_avg_pool1d(source, output_size)

    field = AxisField.of_input().through_adaptive_pooling(size, output_size)

    for unit in range(output_size):
        assert set(field.positions(unit).elements()) == seen_by(value, source, unit)


@pytest.mark.parametrize("output_size", [12, 24, 9, 18, 30])
@pytest.mark.parametrize(
    ("mode", "corners"),
    [("nearest", "half-pixel"), ("linear", "half-pixel"), ("linear", "aligned")],
)
def test_resizing_sees_what_the_gradient_says(output_size, mode, corners):
    source = torch.ones(1, 1, 12, dtype=torch.float64, requires_grad=True)
    aligned = {} if mode == "nearest" else {"align_corners": corners == "aligned"}
    value = functional.interpolate(source, output_size, mode=mode, **aligned)

    field = AxisField.of_input().through_interpolation(12, output_size, mode=mode, corners=corners)

    for unit in range(4, output_size - 4):
        assert set(field.positions(unit).elements()) == seen_by(value, source, unit)


def test_bicubic_resizing_reads_four_neighbours():
    field = AxisField.of_input().through_interpolation(10, 20, mode="cubic")

    assert field.positions(10).elements() == (3, 4, 5, 6)


def test_three_small_kernels_see_as_much_as_one_large():
    field = AxisField.of_input()
    for _ in range(3):
        field = field.through_convolution(kernel=3, padding=1)

    assert field == AxisField.of_input().through_convolution(kernel=7, padding=3)


def test_a_stride_doubles_what_later_layers_add():
    plain = AxisField.of_input().through_convolution(kernel=3).through_convolution(kernel=3)
    strided = (
        AxisField.of_input().through_convolution(kernel=3, stride=2).through_convolution(kernel=3)
    )

    assert (plain.size, strided.size) == (3 + 2 * 1, 3 + 2 * 2)


def test_vgg16_is_as_published():
    """Araujo, Norris and Sim 2019, table of receptive fields: 212, 32, 90."""
    field = AxisField.of_input()
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            field = field.through_convolution(kernel=3, padding=1)
        field = field.through_convolution(kernel=2, stride=2)

    assert (field.size, field.effective_stride, field.start) == (212, 32, -90)


def test_mobilenet_v1_is_as_published():
    """The same table: 315, 32, 126, with TensorFlow's padding of 224."""
    field, size = AxisField.of_input(), 224
    strides = [2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    for stride in strides:
        before, _ = tensorflow_same_padding(size, kernel=3, stride=stride)
        field = field.through_convolution(kernel=3, stride=stride, padding=before)
        size = -(-size // stride)

    assert (field.size, field.effective_stride, field.start) == (315, 32, -126)


def test_resnet_50_with_strides_in_the_last_unit_is_as_published():
    """The same table, version 1 of ResNet-50: 483; strides stand in a block's last unit."""
    field = AxisField.of_input().through_convolution(kernel=7, stride=2, padding=3)
    field = field.through_convolution(kernel=3, stride=2, padding=1)
    for num_units, last_stride in ((3, 2), (4, 2), (6, 2), (3, 1)):
        for unit in range(num_units):
            stride = last_stride if unit == num_units - 1 else 1
            field = field.through_convolution(kernel=3, stride=stride, padding=1)

    assert (field.size, field.effective_stride) == (483, 32)


def test_badly_stacked_dilations_leave_holes():
    field = AxisField.of_input()
    for _ in range(3):
        field = field.through_convolution(kernel=3, dilation=2, padding=2)

    assert field.has_holes
    # Three kernels of dilation 2 see only every second pixel of 13.
    assert (field.size, field.pixels_seen) == (13, 7)


def test_well_stacked_dilations_leave_none():
    field = AxisField.of_input()
    for dilation in (1, 2, 3):
        field = field.through_convolution(kernel=3, dilation=dilation)

    assert (field.has_holes, field.size) == (False, 13)


def test_a_stride_larger_than_the_kernel_skips_pixels():
    field = AxisField.of_input().through_convolution(kernel=1, stride=2)
    field = field.through_convolution(kernel=3)

    assert field.positions(0).elements() == (0, 2, 4)


def test_enlarging_twice_makes_two_phases():
    field = AxisField.of_input().through_transposed_convolution(kernel=3, stride=2, padding=1)

    assert [field.positions(unit).elements() for unit in range(3)] == [(0,), (0, 1), (1,)]
    assert field.effective_stride == Fraction(1, 2)


def test_a_transposed_kernel_smaller_than_its_stride_leaves_blind_units():
    field = AxisField.of_input().through_transposed_convolution(kernel=1, stride=2)

    assert [field.positions(unit).count for unit in range(4)] == [1, 0, 1, 0]


def test_branches_are_united():
    start = AxisField.of_input()
    wide = start.through_convolution(kernel=5, padding=2)

    merged = start.merged_with(wide)

    assert merged == wide.merged_with(start) == wide


def test_branches_of_unlike_strides_do_not_meet():
    start = AxisField.of_input()
    with pytest.raises(UsageError, match=r"stride of 1, the other of 2"):
        start.merged_with(start.through_convolution(kernel=3, stride=2))


def test_slicing_moves_the_field():
    field = AxisField.of_input().through_slice(start=1, step=2)

    assert (field.start, field.effective_stride) == (1, 2)


def test_too_many_phases_are_refused():
    field = AxisField.of_input()
    with pytest.raises(UsageError, match="kinds of units"):
        field.through_interpolation(4999, 4993)


@QUICK
@given(st.lists(st.integers(-30, 30), max_size=8))
def test_a_union_holds_every_element(elements):
    assert union(Positions(e, 1) for e in elements).elements() == tuple(sorted(set(elements)))
