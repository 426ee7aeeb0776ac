"""What a covered part of a picture looks like.

A network that has never seen a grey rectangle answers for the rectangle too. So what is
covered is replaced by something the rest of the picture would not contradict: its own
colours, smeared until no shape is left. Where brightness over a whole area is the evidence,
smearing keeps it; then the mean colour of the picture is the better cover.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Fill = Literal["blur", "mean"]

# Standard deviation of the blur, as a share of the shorter side: 28 pixels of 224.
_BLUR_SHARE = 0.125


def cover_of(images: Tensor, fill: Fill) -> Tensor:
    """Returns what stands in for covered pixels, shaped as ``images [N, C, H, W]``.

    Args:
        images: As the network takes them.
        fill: ``"blur"``: a Gaussian blur whose standard deviation is an eighth of the shorter
            side. ``"mean"``: the mean of each channel over the picture.
    """
    if fill == "mean":
        return images.mean((2, 3), keepdim=True).expand_as(images)
    sigma_px = _BLUR_SHARE * min(images.shape[2:])
    return _blurred(images.float(), sigma_px).to(images)


def _blurred(images: Tensor, sigma_px: float) -> Tensor:
    """Blurs along rows, then columns; at the border the nearest pixels are weighed anew."""
    for dim in (2, 3):
        size = images.shape[dim]
        places = torch.arange(size, device=images.device, dtype=torch.float32)
        weights = torch.exp(-0.5 * ((places[:, None] - places) / max(sigma_px, 1e-3)) ** 2)
        weights = weights / weights.sum(1, keepdim=True)
        images = torch.tensordot(images, weights, dims=([dim], [1])).movedim(-1, dim)
    return images


def covered(image: Tensor, cover: Tensor, mask: Tensor) -> Tensor:
    """Returns ``image [C, H, W]`` with ``cover`` wherever ``mask [H, W]`` is true."""
    return torch.where(mask, cover, image)


def enlarged(values: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Returns a map [h, w] at the size of the picture, between its places by straight lines."""
    return functional.interpolate(
        values[None, None].float(), size=size_px, mode="bilinear", align_corners=False
    )[0, 0]
