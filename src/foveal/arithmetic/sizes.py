"""How long an axis is after a layer, one axis at a time.

Height and width never influence each other, so a layer on ``H x W`` is two calls. A padding
is a whole number for both sides, a pair ``(before, after)``, or ``"same"``.
Notation and formulas: Dumoulin & Visin, "A guide to convolution arithmetic for deep
learning" (arXiv 1603.07285), relations 6, 14 and 15; PyTorch's documentation for ceil mode.
"""

from __future__ import annotations

from typing import Literal

from foveal.arithmetic.checks import require_at_least
from foveal.errors import UsageError

Padding = int | tuple[int, int] | Literal["same"]


def effective_kernel(kernel: int, dilation: int = 1) -> int:
    """Returns the length that a dilated kernel spans: ``k + (k - 1)(d - 1)``.

    >>> effective_kernel(3, dilation=2)
    5
    """
    require_at_least(1, operation="kernel", kernel=kernel, dilation=dilation)
    return dilation * (kernel - 1) + 1


def padding_pair(
    padding: Padding, *, kernel: int = 1, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Returns the zeros before and after the axis.

    ``"same"`` splits ``d(k - 1)`` in two; when that is odd the extra zero goes after, so an
    even kernel shifts the image by half a pixel.

    >>> padding_pair("same", kernel=4)
    (1, 2)

    Raises:
        UsageError: ``"same"`` with a stride, for which PyTorch has no meaning, or a
            negative padding.
    """
    if padding == "same":
        if stride != 1:
            raise UsageError(
                f"convolution: got padding 'same' with stride {stride}, expected stride 1.",
                next_step="Give the padding as numbers; (kernel - 1) // 2 halves the size.",
            )
        zeros = effective_kernel(kernel, dilation) - 1
        return zeros // 2, zeros - zeros // 2
    before, after = (padding, padding) if isinstance(padding, int) else padding
    require_at_least(0, operation="padding", before=before, after=after)
    return before, after


def tensorflow_same_padding(
    size: int, *, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Returns TensorFlow's "same" padding, which gives ``ceil(size / stride)`` for any stride.

    >>> tensorflow_same_padding(224, kernel=3, stride=2)
    (0, 1)
    """
    require_at_least(1, operation="convolution", size=size, stride=stride)
    span = effective_kernel(kernel, dilation)
    zeros = max((-(-size // stride) - 1) * stride + span - size, 0)
    return zeros // 2, zeros - zeros // 2


def convolution_size(
    size: int, *, kernel: int, stride: int = 1, padding: Padding = 0, dilation: int = 1
) -> int:
    """Returns the output size of a convolution: ``floor((H + p - d(k-1) - 1) / s) + 1``.

    Here ``p`` is the padding of both sides together.

    >>> convolution_size(128, kernel=5, stride=2, padding=2)
    64

    Raises:
        UsageError: The kernel does not fit into the padded input, or a setting is invalid.
    """
    require_at_least(1, operation="convolution", size=size, stride=stride)
    before, after = padding_pair(padding, kernel=kernel, stride=stride, dilation=dilation)
    span = effective_kernel(kernel, dilation)
    room = size + before + after - span
    if room < 0:
        raise UsageError(
            f"convolution: a kernel of {kernel} with dilation {dilation} spans {span}, but the "
            f"input of {size} with padding {before} + {after} has only {size + before + after}.",
            next_step=f"Give an input of at least {span - before - after}, or pad more.",
        )
    return room // stride + 1


def transposed_convolution_size(
    size: int,
    *,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> int:
    """Returns the output size of a transposed convolution.

    ``(H - 1) s - 2p + d(k - 1) + output_padding + 1``.

    >>> transposed_convolution_size(7, kernel=4, stride=2, padding=1)
    14

    Raises:
        UsageError: The result would be empty, or the output padding is not smaller than
            both stride and dilation together allow.
    """
    operation = "transposed convolution"
    require_at_least(1, operation=operation, size=size, stride=stride)
    require_at_least(0, operation=operation, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise UsageError(
            f"{operation}: output_padding is {output_padding}, expected less than "
            f"{max(stride, dilation)}, the larger of stride {stride} and dilation {dilation}."
        )
    span = effective_kernel(kernel, dilation)
    result = (size - 1) * stride - 2 * padding + span + output_padding
    if result < 1:
        raise UsageError(
            f"{operation}: an input of {size} with kernel {kernel}, stride {stride} and padding "
            f"{padding} gives a size of {result}.",
            next_step="Pad less; here padding removes pixels from the output.",
        )
    return result


def pooling_size(
    size: int,
    *,
    kernel: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    rounding: Literal["floor", "ceil"] = "floor",
) -> int:
    """Returns the output size of max or average pooling; the stride is the kernel's if None.

    With ``"ceil"`` a last window that hangs over the edge counts, unless it would start in
    the padding after the input (PyTorch drops that one).

    >>> pooling_size(112, kernel=3, stride=2), pooling_size(112, kernel=3, stride=2,
    ...     rounding="ceil")
    (55, 56)

    Raises:
        UsageError: No window fits, or the padding exceeds half the kernel.
    """
    stride = kernel if stride is None else stride
    require_at_least(1, operation="pooling", size=size, stride=stride)
    require_at_least(0, operation="pooling", padding=padding)
    span = effective_kernel(kernel, dilation)
    if padding > span // 2:
        raise UsageError(
            f"pooling: padding is {padding}, expected at most {span // 2}, half of the kernel "
            f"of {kernel}: otherwise a window would hold padding alone."
        )
    room = size + 2 * padding - span
    steps = -(-room // stride) if rounding == "ceil" else room // stride
    if rounding == "ceil" and steps * stride >= size + padding:
        steps -= 1
    if steps < 0:
        raise UsageError(
            f"pooling: a kernel of {kernel} with dilation {dilation} spans {span}, but the input "
            f"of {size} with padding {padding} + {padding} has only {size + 2 * padding}.",
            next_step=f"Give an input of at least {span - 2 * padding}.",
        )
    return steps + 1


def adaptive_windows(size: int, output_size: int) -> tuple[tuple[int, int], ...]:
    """Returns the windows ``[start, end)`` of adaptive pooling.

    Window i is ``[floor(i H / n), ceil((i + 1) H / n))``; windows overlap where n does not
    divide H.

    >>> adaptive_windows(7, 3)
    ((0, 3), (2, 5), (4, 7))
    """
    require_at_least(1, operation="adaptive pooling", size=size, output_size=output_size)
    return tuple(
        (i * size // output_size, -(-(i + 1) * size // output_size)) for i in range(output_size)
    )


def interpolation_size(size: int, *, scale: float) -> int:
    """Returns the output size of resizing by a factor: ``floor(H * scale)``.

    >>> interpolation_size(7, scale=2.0)
    14

    Raises:
        UsageError: The result would be empty.
    """
    require_at_least(1, operation="interpolation", size=size)
    result = int(size * scale)
    if result < 1:
        raise UsageError(
            f"interpolation: a size of {size} times {scale} gives {result}, expected at least 1."
        )
    return result
