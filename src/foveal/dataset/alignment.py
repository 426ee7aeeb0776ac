"""How much of one picture is left when another is laid over it as well as it can be.

A copy of a picture may be brighter, flatter, stretched or cropped by a few percent. All of
that is undone by ``b(x, y) = gain · a(x + tx + sx·x, y + ty + sy·y) + offset``; what then
remains of ``b`` is the evidence that it is not a copy. The six numbers come from one linear
least-squares fit, with the shift and the stretch to first order (Lucas and Kanade 1981); the
gradients are the mean of both pictures', which makes the step accurate to second order
(Benhimane and Malis 2004). A second fit starts from where the first one leads.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.fingerprints import SIGNATURE_PX

Floats = NDArray[np.float32]

_BORDER_PX = 2  # what a crop pushes over the edge is in one picture only
_MAX_MOVE_PX = 3.0  # about 10% of the picture: beyond that, it is another picture
_RIDGE = 3e-6


def standardise(signatures: NDArray[np.uint8]) -> Floats:
    """Returns signatures [N, 32, 32] with mean 0 and mean square 1 each; flat ones stay 0."""
    levels = signatures.astype(np.float32)
    levels -= levels.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt(np.square(levels).mean(axis=(1, 2), keepdims=True))
    standard: Floats = np.divide(levels, scale, out=np.zeros_like(levels), where=scale > 0)
    return standard


def remainders(first: Floats, second: Floats, *, num_steps: int = 2) -> Floats:
    """Returns what is left of ``second`` after ``first`` is fitted to it, pair by pair.

    Args:
        first: Standardised signatures, float32 [P, 32, 32].
        second: As many others.
        num_steps: Fits; every one after the first starts from the pictures as laid over.

    Returns:
        float32 [P]: the share of the variance of ``second`` that remains, the least over
        the steps; 0 for a copy that differs in brightness and contrast alone.
    """
    least, move = _fit(first, second)
    total = np.zeros_like(move)
    for _ in range(num_steps - 1):
        total = np.clip(total + move, -_MAX_MOVE_PX, _MAX_MOVE_PX).astype(np.float32)
        remainder, move = _fit(_warp(first, total), second)
        least = np.minimum(least, remainder)
    return least


def _fit(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Returns the remainder [P] and the move (tx, sx, ty, sy) [P, 4] in pixels."""
    slope_y, slope_x = (
        (a + b) / 2
        for a, b in zip(
            np.gradient(first, axis=(1, 2)), np.gradient(second, axis=(1, 2)), strict=True
        )
    )
    place = _places()
    columns = (
        first,
        np.ones_like(first),
        slope_x,
        slope_x * place[None, None, :],
        slope_y,
        slope_y * place[None, :, None],
    )
    design = np.stack([_inner(column) for column in columns], axis=1)
    target = _inner(second)
    normal = design @ design.transpose(0, 2, 1)
    # Keeps pictures without any slope, such as stripes in one direction, solvable.
    normal += (_RIDGE * target.shape[1]) * np.eye(len(columns), dtype=np.float32)
    solution = np.linalg.solve(normal, design @ target[..., None])
    left = np.square(target - (solution.transpose(0, 2, 1) @ design)[:, 0]).sum(axis=1)
    spread = np.square(target - target.mean(axis=1, keepdims=True)).sum(axis=1)
    remainder = np.divide(left, spread, out=np.ones_like(left), where=spread > 0)
    gain = solution[:, :1, 0]
    # A negative or vanishing gain is a negative or nothing at all, but no copy.
    is_copy = gain[:, 0] > 0.1
    move = np.divide(
        solution[:, 2:, 0], gain, out=np.zeros_like(solution[:, 2:, 0]), where=is_copy[:, None]
    )
    return np.where(is_copy, remainder, np.float32(1)), move


def _warp(pictures: Floats, move: Floats) -> Floats:
    """Samples pictures [P, 32, 32] at moved places, linearly between the pixels."""
    along_x = _sampling(move[:, 0], move[:, 1])
    along_y = _sampling(move[:, 2], move[:, 3])
    warped: Floats = np.matmul(along_y, pictures @ along_x.transpose(0, 2, 1), dtype=np.float32)
    return warped


def _sampling(shift: Floats, stretch: Floats) -> Floats:
    """Returns for each pair the weights [32, 32] of the old pixels in the new ones."""
    pixels = np.arange(SIGNATURE_PX, dtype=np.float32)
    moved = pixels[None, :] + shift[:, None] + stretch[:, None] * _places()[None, :]
    inside = moved.clip(0.0, SIGNATURE_PX - 1.0)
    weights = np.maximum(0.0, 1.0 - np.abs(inside[:, :, None] - pixels[None, None, :]))
    return weights.astype(np.float32)


def _inner(pictures: Floats) -> Floats:
    kept = slice(_BORDER_PX, SIGNATURE_PX - _BORDER_PX)
    return pictures[:, kept, kept].reshape(len(pictures), (SIGNATURE_PX - 2 * _BORDER_PX) ** 2)


@cache
def _places() -> Floats:
    """Places of the pixels from -1 at one edge to 1 at the other, [32]."""
    return np.linspace(-1.0, 1.0, SIGNATURE_PX, dtype=np.float32)
