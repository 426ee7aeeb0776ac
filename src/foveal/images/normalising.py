"""Pixels become the network's numbers: ``(x - mean) / std`` for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Triple = tuple[float, float, float]

# Of red, green and blue in the luma of ITU-R BT.601, as Pillow converts to "L".
_LUMA = (0.299, 0.587, 0.114)


def grey_of(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns images [N, 3, H, W] in grey, [N, 1, H, W]; of equal channels, that channel.

    Where mean and std are the same for all three channels, grey of the normalised is the
    normalised grey.
    """
    weights = np.array(_LUMA, np.float32)[:, None, None]
    grey: NDArray[np.float32] = (images * weights).sum(1, keepdims=True, dtype=np.float32)
    return grey


def normalise(
    pixels: NDArray[Any], *, mean: Triple, std: Triple, into: NDArray[np.float32]
) -> None:
    """Writes ``(x - mean) / std`` for each channel, one multiplication and one addition.

    Args:
        pixels: ``uint8``, where 255 is 1, or ``float32`` in [0, 1]; [H, W] or [H, W, 3].
        mean: Mean for each channel, of values in [0, 1].
        std: Standard deviation for each channel.
        into: ``float32`` [3, H, W] to be filled, which may be a part of a larger array.
    """
    top = 255.0 if pixels.dtype == np.uint8 else 1.0
    is_gray = pixels.ndim == 2
    for channel in range(3):
        # Gray with the same mean and deviation for all channels is computed but once.
        if is_gray and channel and (mean[channel], std[channel]) == (mean[0], std[0]):
            into[channel] = into[0]
            continue
        plane = pixels if is_gray else pixels[..., channel]
        np.multiply(plane, np.float32(1.0 / (top * std[channel])), out=into[channel])
        into[channel] -= np.float32(mean[channel] / std[channel])
