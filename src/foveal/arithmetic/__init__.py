"""Convolution arithmetic on whole numbers: sizes, parameters, MACs, receptive fields."""

from foveal.arithmetic.axis_field import AxisField, Positions, union
from foveal.arithmetic.counts import (
    attention_macs,
    convolution_macs,
    convolution_parameters,
    linear_macs,
    linear_parameters,
    matmul_macs,
    normalisation_parameters,
    transposed_convolution_macs,
)
from foveal.arithmetic.sizes import (
    Padding,
    adaptive_windows,
    convolution_size,
    effective_kernel,
    interpolation_size,
    padding_pair,
    pooling_size,
    tensorflow_same_padding,
    transposed_convolution_size,
)

__all__ = [
    "AxisField",
    "Padding",
    "Positions",
    "adaptive_windows",
    "attention_macs",
    "convolution_macs",
    "convolution_parameters",
    "convolution_size",
    "effective_kernel",
    "interpolation_size",
    "linear_macs",
    "linear_parameters",
    "matmul_macs",
    "normalisation_parameters",
    "padding_pair",
    "pooling_size",
    "tensorflow_same_padding",
    "transposed_convolution_macs",
    "transposed_convolution_size",
    "union",
]
