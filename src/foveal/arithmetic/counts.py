"""Parameters and multiply-accumulates (MACs) of one layer, as exact whole numbers.

One MAC is one multiplication with its addition; a FLOP count is about twice as large.
MACs are for one image, biases and additions are not counted.
"""

from __future__ import annotations

from math import prod
from typing import Literal

from foveal.arithmetic.checks import require_at_least, require_divisible

Bias = Literal["bias", "no bias"]


def convolution_parameters(
    in_channels: int,
    out_channels: int,
    *,
    kernel: tuple[int, ...],
    groups: int = 1,
    bias: Bias = "bias",
) -> int:
    """Returns the parameters of a convolution, transposed or not: ``C_out (C_in / g) k k``.

    The kernel has one size per axis.

    >>> convolution_parameters(64, 128, kernel=(3, 3))
    73856

    Raises:
        UsageError: The groups do not divide the channels, or a size is below 1.
    """
    require_divisible(
        operation="convolution", groups=groups, in_channels=in_channels, out_channels=out_channels
    )
    for size in kernel:
        require_at_least(1, operation="convolution", kernel=size)
    weights = out_channels * (in_channels // groups) * prod(kernel)
    return weights + (out_channels if bias == "bias" else 0)


def linear_parameters(in_features: int, out_features: int, *, bias: Bias = "bias") -> int:
    """Returns the parameters of a linear layer.

    >>> linear_parameters(512, 1000)
    513000
    """
    require_at_least(1, operation="linear", in_features=in_features, out_features=out_features)
    return in_features * out_features + (out_features if bias == "bias" else 0)


def normalisation_parameters(channels: int) -> int:
    """Returns the parameters of a normalisation with a scale and a shift per channel.

    >>> normalisation_parameters(64)
    128
    """
    require_at_least(1, operation="normalisation", channels=channels)
    return 2 * channels


def convolution_macs(
    in_channels: int,
    out_channels: int,
    *,
    kernel: tuple[int, ...],
    output_size: tuple[int, ...],
    groups: int = 1,
) -> int:
    """Returns the MACs of a convolution: every output value reads ``(C_in / g) k k`` numbers.

    Taps that fall on padding count, as they do in every library.

    >>> convolution_macs(3, 64, kernel=(7, 7), output_size=(112, 112))
    118013952

    Raises:
        UsageError: The groups do not divide the channels, or a size is below 1.
    """
    weights = convolution_parameters(
        in_channels, out_channels, kernel=kernel, groups=groups, bias="no bias"
    )
    for size in output_size:
        require_at_least(1, operation="convolution", output_size=size)
    return weights * prod(output_size)


def transposed_convolution_macs(
    in_channels: int,
    out_channels: int,
    *,
    kernel: tuple[int, ...],
    input_size: tuple[int, ...],
    groups: int = 1,
) -> int:
    """Returns the MACs of a transposed convolution: every *input* value is spread by the kernel.

    >>> transposed_convolution_macs(8, 4, kernel=(2, 2), input_size=(5, 5))
    3200

    Raises:
        UsageError: The groups do not divide the channels, or a size is below 1.
    """
    return convolution_macs(
        in_channels, out_channels, kernel=kernel, output_size=input_size, groups=groups
    )


def linear_macs(in_features: int, out_features: int, *, positions: int = 1) -> int:
    """Returns the MACs of a linear layer applied at so many positions.

    >>> linear_macs(512, 1000)
    512000
    """
    return linear_parameters(in_features, out_features, bias="no bias") * positions


def matmul_macs(rows: int, inner: int, columns: int, *, batch: int = 1) -> int:
    """Returns the MACs of ``[batch, rows, inner] @ [batch, inner, columns]``.

    >>> matmul_macs(2, 3, 4)
    24
    """
    return batch * rows * inner * columns


def attention_macs(
    queries: int, keys: int, *, query_width: int, value_width: int, heads: int = 1
) -> int:
    """Returns the MACs of ``softmax(Q K^T) V`` without its projections.

    Args:
        queries: Number of query positions.
        keys: Number of key positions.
        query_width: Width of one query in one head.
        value_width: Width of one value in one head.
        heads: Number of heads (times the batch).

    Returns:
        The products of Q with K and of the weights with V, together.

    >>> attention_macs(197, 197, query_width=64, value_width=64, heads=12)
    59610624
    """
    return heads * queries * keys * (query_width + value_width)
