"""Measures how much of one image remains when another is laid over it as well as possible.

A copy of an image may be brighter, flatter, stretched, rotated by a few degrees or cropped.
All of that is undone by ``b(p) = gain · a(p + shift + M·p) + offset`` with a matrix M; what
then remains of ``b`` is the evidence that it is not a copy. The eight numbers come from one
linear least-squares fit, with shift and matrix to first order (Lucas and Kanade 1981); the
gradients are the mean of both images', which makes the step accurate to second order
(Benhimane and Malis 2004). Further fits start from where the one before leads, on images of
half the size first, where moves are half as long (Bouguet 2001).

Only a disc in the middle is compared: what a rotation or a crop pushes over the edge is in one
image only.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BORDER_SHARE = 1 / 16  # of the side, left out around the disc
_MAX_MOVE_SHARE = 0.2  # of the side; beyond that, it is another image
_RIDGE = 3e-6
_NUM_FINE_STEPS = 2


def standardise(signatures: NDArray[np.uint8]) -> Floats:
    """Returns signatures [N, 32, 32] with mean 0 and mean square 1 each; flat ones stay 0."""
    levels = signatures.astype(np.float32)
    levels -= levels.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt(np.square(levels).mean(axis=(1, 2), keepdims=True))
    standard: Floats = np.divide(levels, scale, out=np.zeros_like(levels), where=scale > 0)
    return standard


def halve(images: Floats) -> Floats:
    """Returns images [P, S, S] at half the size, [P, S/2, S/2]."""
    rows = images[:, ::2] + images[:, 1::2]
    return ((rows[:, :, ::2] + rows[:, :, 1::2]) / 4).astype(np.float32, copy=False)


def remainders(first: Floats, second: Floats) -> Floats:
    """Returns what is left of ``second`` after ``first`` is fitted to it, pair by pair.

    Args:
        first: Standardised signatures, float32 [P, S, S].
        second: As many others.

    Returns:
        float32 [P]: the share of the variance of ``second`` that remains, the least over
        the steps; 0 for a copy that differs in brightness and contrast alone.
    """
    _, move = fit(halve(first), halve(second))
    _, move = fit(halve(first), halve(second), start=move)
    least, _ = fit(first, second)
    for _ in range(_NUM_FINE_STEPS):
        remainder, move = fit(first, second, start=move)
        least = np.minimum(least, remainder)
    return least


def fit(first: Floats, second: Floats, *, start: Floats | None = None) -> tuple[Floats, Floats]:
    """Fits ``first`` to ``second`` in one step, pair by pair.

    Args:
        first: Standardised images, float32 [P, S, S].
        second: As many others.
        start: The move [P, 6] to begin with; none by default.

    Returns:
        The share of the variance of ``second`` that remains, [P], and the move
        (tx, xx, xy, ty, yx, yy) [P, 6], in halves of the side: at the position (x, y), both from
        -1 to 1, it is (tx + xx·x + xy·y, ty + yx·x + yy·y).
    """
    if start is not None:
        start = start.clip(-2 * _MAX_MOVE_SHARE, 2 * _MAX_MOVE_SHARE)
        first = _warp(first, start)
    num_pairs, size_px = first.shape[:2]
    disc, x, y = _disc(size_px)
    slope_y, slope_x = np.gradient((first + second) / 2, axis=(1, 2))
    slope_x, slope_y = (
        slope.reshape(num_pairs, size_px**2)[:, disc] * np.float32(size_px / 2)
        for slope in (slope_x, slope_y)
    )
    target = second.reshape(num_pairs, size_px**2)[:, disc]
    design = np.empty((num_pairs, 8, len(disc)), np.float32)
    design[:, 0] = first.reshape(num_pairs, size_px**2)[:, disc]
    design[:, 1] = 1.0
    for position, slope in ((2, slope_x), (5, slope_y)):
        design[:, position] = slope
        np.multiply(slope, x, out=design[:, position + 1])
        np.multiply(slope, y, out=design[:, position + 2])
    normal = design @ design.transpose(0, 2, 1)
    # Keeps images without any slope, such as stripes in one direction, solvable.
    normal += (_RIDGE * len(disc)) * np.eye(8, dtype=np.float32)
    moment = design @ target[..., None]
    solution = np.linalg.solve(normal, moment)
    left = np.square(target - (solution.transpose(0, 2, 1) @ design)[:, 0]).sum(axis=1)
    spread = np.square(target - target.mean(axis=1, keepdims=True)).sum(axis=1)
    remainder = np.divide(left, spread, out=np.ones_like(left), where=spread > 0)
    gain = solution[:, :1, 0]
    # A negative or vanishing gain is a negative or nothing at all, but no copy.
    is_copy = gain[:, 0] > 0.1
    move = np.divide(
        solution[:, 2:, 0], gain, out=np.zeros_like(solution[:, 2:, 0]), where=is_copy[:, None]
    )
    if start is not None:
        move = move + start
    return np.where(is_copy, remainder, np.float32(1)), move


def _warp(images: Floats, move: Floats) -> Floats:
    """Samples images [P, S, S] at moved positions, linearly between the pixels."""
    num_pairs, size_px = images.shape[:2]
    pixel = np.arange(size_px, dtype=np.float32)
    coordinate = (2 * pixel + 1) / size_px - 1
    along_x, along_y = coordinate[None, None, :], coordinate[None, :, None]
    tx, xx, xy, ty, yx, yy = (
        np.float32(size_px / 2) * move[:, index, None, None] for index in range(6)
    )
    column = np.clip(pixel[None, None, :] + tx + xx * along_x + xy * along_y, 0.0, size_px - 1.0)
    row = np.clip(pixel[None, :, None] + ty + yx * along_x + yy * along_y, 0.0, size_px - 1.0)
    left = np.minimum(column.astype(np.int32), size_px - 2)
    top = np.minimum(row.astype(np.int32), size_px - 2)
    right_share, low_share = column - left, row - top
    flat = images.reshape(num_pairs, size_px**2)
    corner = (top * size_px + left).reshape(num_pairs, size_px**2)
    at_corners = [
        np.take_along_axis(flat, corner + offset, axis=1).reshape(images.shape)
        for offset in (0, 1, size_px, size_px + 1)
    ]
    upper = at_corners[0] + right_share * (at_corners[1] - at_corners[0])
    lower = at_corners[2] + right_share * (at_corners[3] - at_corners[2])
    warped: Floats = (upper + low_share * (lower - upper)).astype(np.float32)
    return warped


@cache
def _disc(size_px: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The pixels that are compared, and their coordinates x and y from -1 to 1.

    A disc, because no rotation about the middle pushes any of it out of the image.
    """
    coordinate = ((2 * np.arange(size_px) + 1) / size_px - 1).astype(np.float32)
    inside = np.hypot(coordinate[:, None], coordinate[None, :]) <= 1 - 2 * _BORDER_SHARE
    pixels = np.flatnonzero(inside)
    rows, columns = np.divmod(pixels, size_px)
    return pixels, coordinate[columns], coordinate[rows]
