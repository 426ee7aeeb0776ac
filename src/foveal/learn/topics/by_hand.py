"""The few operations that the course shows on numbers small enough to follow by hand.

Plain Python, so that a page with a computed example opens without waiting for torch; the
tests hold each against torch.
"""

from __future__ import annotations

from collections.abc import Sequence


def correlate(row: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """Returns what a convolution layer computes along one row: no padding, kernel not flipped.

    >>> correlate((0, 1, 3), (1, 2))
    (2, 7)
    """
    return tuple(
        sum(weight * row[start + tap] for tap, weight in enumerate(kernel))
        for start in range(len(row) - len(kernel) + 1)
    )


def pooled(row: Sequence[int], window: int) -> tuple[int, ...]:
    """Returns max pooling of a row with the window's length as stride.

    >>> pooled((0, 1, 3, 1), 2)
    (1, 3)
    """
    return tuple(
        max(row[start : start + window]) for start in range(0, len(row) - window + 1, window)
    )


def grad_cam(
    maps: Sequence[Sequence[float]], gradients: Sequence[Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns Grad-CAM's channel weights and its map.

    Args:
        maps: One flat map a channel.
        gradients: Of the class score with respect to each value of the maps.

    >>> grad_cam([(1.0, 2.0), (3.0, 0.0)], [(1.0, 1.0), (-1.0, 0.0)])
    ((1.0, -0.5), (0.0, 2.0))
    """
    weights = tuple(sum(gradient) / len(gradient) for gradient in gradients)
    summed = (
        sum(weight * value for weight, value in zip(weights, position, strict=True))
        for position in zip(*maps, strict=True)
    )
    return weights, tuple(max(0.0, value) for value in summed)


def folded_batch_norm(
    *, scale: float, shift: float, mean: float, variance: float, epsilon: float = 0.0
) -> tuple[float, float]:
    """Returns slope and intercept of batch norm in evaluation mode.

    >>> folded_batch_norm(scale=3.0, shift=1.0, mean=2.0, variance=4.0)
    (1.5, -2.0)
    """
    slope = scale / (variance + epsilon) ** 0.5
    return slope, shift - slope * mean


def ascend(
    kernel: Sequence[float], start: Sequence[float], *, steps: int, rate: float
) -> tuple[float, ...]:
    """Returns a picture after gradient ascent on the response of one filter.

    The response is ``Σ w x``, whose gradient with respect to the pixels is the kernel itself.

    >>> ascend((1.0, -1.0), (0.0, 0.0), steps=2, rate=0.5)
    (1.0, -1.0)
    """
    return tuple(value + steps * rate * weight for weight, value in zip(kernel, start, strict=True))
