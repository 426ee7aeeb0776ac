"""Covers a part of an image.

A network that has never seen a grey rectangle responds to the rectangle too. So what is
covered is replaced by something the rest of the image would not contradict: its own
colours, smeared until no shape is left. Where brightness over a whole area is the evidence,
smearing keeps it; then the mean colour of the image is the better cover.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Fill = Literal["blur", "mean"]

# Standard deviation of the blur, as a share of the shorter side: 28 pixels of 224.
_BLUR_SHARE = 0.125
# Of the fading edge of a mask: 9 pixels of 224.
_FADE_SHARE = 0.04
# The edge is that smooth, so a coarse grid holds it, at a tenth of the time.
_FADE_GRID = 64


def cover_of(images: Tensor, fill: Fill) -> Tensor:
    """Returns what stands in for covered pixels, shaped as ``images [N, C, H, W]``.

    Args:
        images: As the network takes them.
        fill: ``"blur"``: a Gaussian blur whose standard deviation is an eighth of the shorter
            side. ``"mean"``: the mean of each channel over the image.
    """
    if fill == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(images)
    sigma_px = _BLUR_SHARE * min(images.shape[2:])
    return blurred(images.float(), sigma_px).to(images)


def blurred(images: Tensor, sigma_px: float) -> Tensor:
    """Returns float images [N, C, H, W] after a Gaussian blur.

    At the border the weights of the pixels there are scaled to a sum of one.
    """
    rows, columns = (_blur_weights(size, sigma_px, images.device) for size in images.shape[2:])
    return rows @ images @ columns.T


@lru_cache(maxsize=16)
def _blur_weights(size: int, sigma_px: float, device: torch.device) -> Tensor:
    """Returns what each of ``size`` blurred pixels takes of each pixel, [size, size]."""
    positions = torch.arange(size, device=device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((positions[:, None] - positions) / max(sigma_px, 1e-3)) ** 2)
    return weights / weights.sum(1, keepdim=True)


def covered(image: Tensor, cover: Tensor, mask: Tensor) -> Tensor:
    """Returns ``image [C, H, W]`` with ``cover`` as far as ``mask [H, W]`` is 1."""
    return torch.lerp(image, cover, mask.to(image))


def soft_edged(mask: Tensor) -> Tensor:
    """Returns a mask [H, W] of zeros and ones that fades over about an eighth of the image.

    An outline would be a shape of its own, to which networks answer: with it, the positions of
    true maps and of false ones were harder to tell apart.
    """
    size = (int(mask.shape[0]), int(mask.shape[1]))
    grid = (min(_FADE_GRID, size[0]), min(_FADE_GRID, size[1]))
    coarse = functional.adaptive_avg_pool2d(mask[None, None].float(), grid)
    return enlarged(blurred(coarse, _FADE_SHARE * min(grid))[0, 0], size)


def enlarged(values: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Returns a map [h, w] at the size of the image, between its positions by straight lines."""
    return functional.interpolate(
        values[None, None].float(), size=size_px, mode="bilinear", align_corners=False
    )[0, 0]
