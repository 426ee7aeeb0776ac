"""Pictures of a lab: pixels as a small PNG inside a page, and a map laid over them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from foveal.draw.colour_map import overlay
from foveal.learn.labs.lab import LabPicture
from foveal.reporting.page import data_uri

_SIDE_PX = 160


def show_picture(
    pixels: NDArray[np.float32], *, caption: str, description: str, is_sharp: bool = False
) -> LabPicture:
    """Returns a picture for the page.

    Args:
        pixels: [C, H, W] in 0..1, of one channel or three.
        caption: What it is, in a few words.
        description: What it shows, for those who do not see it.
        is_sharp: Whether every pixel is to be seen as a square.
    """
    return _shown(_bytes(pixels), caption, description, is_sharp=is_sharp)


def show_map(
    pixels: NDArray[np.float32], values: NDArray[np.float32], *, caption: str, description: str
) -> LabPicture:
    """Returns a map [H, W], at the size of the picture [C, H, W] in 0..1, laid over it."""
    most = float(values.max()) or 1.0
    shares = np.clip(values / most, 0.0, 1.0).astype(np.float64)
    return _shown(overlay(_bytes(pixels), shares), caption, description, is_sharp=False)


def _bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    three = np.repeat(pixels, 3, axis=0) if pixels.shape[0] == 1 else pixels[:3]
    return np.rint(255 * np.clip(three, 0.0, 1.0)).astype(np.uint8).transpose(1, 2, 0)


def _shown(
    pixels: NDArray[np.uint8], caption: str, description: str, *, is_sharp: bool
) -> LabPicture:
    from PIL import Image

    how = Image.Resampling.NEAREST if is_sharp else Image.Resampling.BICUBIC
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((_SIDE_PX, _SIDE_PX), how).save(stream, "PNG", optimize=True)
    return LabPicture(caption, description, data_uri(stream.getvalue()) or "")
