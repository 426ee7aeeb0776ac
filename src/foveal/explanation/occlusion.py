"""Occlusion: how much the score drops where the image is covered.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014, section
4.1). It asks the network itself, needs no gradients and no layer, and costs one forward pass
a position. The drop is in logits, so a map does not fade where the network is sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation.covering import Fill, cover_of, covered
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.requests import (
    Classes,
    Images,
    batch_size_for,
    classes_of_each,
    ready_images,
)
from foveal.layers import predicting, stream_logits
from foveal.layers.logits import Progress

_BATCH_SIZE = 32
# Of the shorter side: windows of 28 pixels at 224, half a window apart.
_WINDOW_SHARE = 8

Window = tuple[int, int]


def occlusion_maps(
    model: nn.Module,
    images: Images,
    *,
    classes: Classes = None,
    window_px: int | None = None,
    stride_px: int | None = None,
    fill: Fill = "mean",
    progress: Progress | None = None,
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns how much each position holds the score of a class up.

    A window slides over the image; ``signed`` is at each pixel the mean drop of the logit
    over the windows that cover it, negative where the class gains by covering.

    Args:
        model: A classifier; used in evaluation mode and left as found.
        images: [N, C, H, W], as the network takes them.
        classes: One or several for every image, ``"all"``, or None for each image's likeliest.
        window_px: Side of the window; by default an eighth of the image's shorter side.
        stride_px: From window to window; by default half a window. The last window of a row
            or column ends at the image's edge.
        fill: What is put in the window: the image's mean colour, or a blur of it.
        progress: Called as ``progress(done, total)`` after every batch of forward passes;
            ``total`` is ``N * (num_windows + 1)``, by default at most 226 a square image.

    Returns:
        ``result[n][j]``, the map of image n for its j-th class, of the image's own size and in
        logits. More classes cost no more passes.

    Raises:
        UsageError: The window or stride does not fit, or there is no such class.
    """
    with predicting(model) as lent:
        images = ready_images(images, lent)
        size = (int(images.shape[2]), int(images.shape[3]))
        window = math.ceil(min(size) / _WINDOW_SHARE) if window_px is None else window_px
        stride = math.ceil(window / 2) if stride_px is None else stride_px
        windows = _windows(size, window, stride)
        logits = stream_logits(
            lent,
            _images(images, windows, window, fill),
            batch_size=batch_size_for(images, _BATCH_SIZE),
            total=len(images) * (len(windows) + 1),
            progress=progress,
        ).values.reshape(len(images), len(windows) + 1, -1)
    chosen = classes_of_each(logits[:, 0], classes)
    return tuple(
        tuple(_heat_map(answer[:, index], index, windows, window, size) for index in mine)
        for answer, mine in zip(logits, chosen, strict=True)
    )


def _windows(size: tuple[int, int], window: int, stride: int) -> tuple[Window, ...]:
    """Returns the top left corners, row by row."""
    if not 1 <= window <= min(size) or not 1 <= stride <= window:
        raise UsageError(
            f"got window_px={window} and stride_px={stride} for an image of {size}, expected "
            f"1 <= stride_px <= window_px <= {min(size)}, so that every pixel is covered.",
            next_step="Leave both out for windows of an eighth of the image.",
        )
    rows, columns = (
        sorted({*range(0, length - window + 1, stride), length - window}) for length in size
    )
    return tuple((row, column) for row in rows for column in columns)


def _images(
    images: Tensor, windows: tuple[Window, ...], window: int, fill: Fill
) -> Iterator[Tensor]:
    for image, cover in zip(images, cover_of(images, fill), strict=True):
        yield image
        for row, column in windows:
            mask = torch.zeros(image.shape[1:], device=image.device)
            mask[row : row + window, column : column + window] = 1
            yield covered(image, cover, mask)


def _heat_map(
    logits: np.ndarray[tuple[int], np.dtype[np.float64]],
    class_index: int,
    windows: tuple[Window, ...],
    window: int,
    size: tuple[int, int],
) -> HeatMap:
    """Averages the drops of ``logits`` (untouched image first) over the windows."""
    total, count = np.zeros(size), np.zeros(size)
    for (row, column), logit in zip(windows, logits[1:], strict=True):
        position = np.s_[row : row + window, column : column + window]
        total[position] += logits[0] - logit
        count[position] += 1
    signed = (total / count).astype(np.float32)
    return HeatMap(
        method="occlusion",
        layer="input",
        layer_reason="Covering is done in the image itself.",
        class_index=class_index,
        logit=float(logits[0]),
        values=np.maximum(signed, 0.0),
        signed=signed,
        bias=None,
        image_size_px=size,
    )
