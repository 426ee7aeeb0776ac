"""What a decoded image is: its pixels, the facts of its file, and the network's numbers of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.errors import ImageError
from foveal.images.levels import LevelSummary

MAX_PIXELS: Final = 89_478_485
"""Most pixels an image may have: what fills 256 MiB as RGB, the bound that Pillow uses too."""


_BAND_PIXELS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the file says about itself, without anything about a person.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"TIFF"``, ``"WEBP"``, ``"BMP"``, ``"GIF"`` or
            ``"DICOM"``.
        width_px: Width of the full image after orientation, however far it was reduced.
        height_px: Height, likewise.
        stored_mode: How the file stores a pixel: Pillow's word (``"L"``, ``"RGB"``,
            ``"P"``, ``"I;16"``), or DICOM's photometric interpretation.
        bits_per_sample: Bits of one sample as stored.
        num_frames: Images of one stack in the file; thumbnails and masks do not count.
        frame: The number of the one that was decoded, from 1 on.
        orientation: The EXIF orientation (1 to 8) that was undone; 1 is upright.
        patient_key: For DICOM, the first 16 hexadecimal digits of the SHA-256 of the
            PatientID, else ``None``. It groups; it does not anonymise a guessable number,
            and is therefore never written.
        levels: Of deep levels (more than 8 bits, or DICOM gray), a summary before windowing;
            ``None`` where the window of a whole set decided.
        notes: What a careful reader should know about the reading, one sentence each.
    """

    format: str
    width_px: int
    height_px: int
    stored_mode: str
    bits_per_sample: int
    num_frames: int = 1
    frame: int = 1
    orientation: int = 1
    patient_key: str | None = None
    levels: LevelSummary | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """An upright image with its facts.

    Attributes:
        pixels: ``uint8`` [H, W] or [H, W, 3]; or, where the file holds more than 8 bits
            a sample or is DICOM gray, ``float32`` [H, W] or [H, W, 3] in [0, 1], windowed.
        facts: What the file says about itself.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    facts: ImageFacts


Pixels = Image.Image | NDArray[np.float32]
"""A Pillow image of mode L or RGB, or ``float32`` [H, W] or [H, W, 3] in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """An upright image in the form its decoder gives, so that the hot path copies nothing."""

    pixels: Pixels
    facts: ImageFacts

    def to_decoded(self) -> DecodedImage:
        """Returns the same image as an array."""
        return DecodedImage(pixels=as_array(self.pixels), facts=self.facts)


def height_and_width(pixels: Pixels) -> tuple[int, int]:
    """Returns the height and the width of an image in pixels."""
    if isinstance(pixels, Image.Image):
        return pixels.height, pixels.width
    return pixels.shape[0], pixels.shape[1]


def as_array(pixels: Pixels) -> NDArray[Any]:
    """Returns an image as an array, band by band: Pillow would make two copies on the way."""
    if not isinstance(pixels, Image.Image):
        return pixels
    if pixels.width * pixels.height <= _BAND_PIXELS:
        return np.asarray(pixels)
    bands = () if pixels.mode == "L" else (len(pixels.getbands()),)
    array = np.empty((pixels.height, pixels.width, *bands), np.uint8)
    step = max(1, _BAND_PIXELS // pixels.width)
    for top in range(0, pixels.height, step):
        bottom = min(pixels.height, top + step)
        array[top:bottom] = np.asarray(pixels.crop((0, top, pixels.width, bottom)))
    return array


def as_pixels(pixels: NDArray[Any]) -> Pixels:
    """Returns the pixels of a :class:`DecodedImage` in the form of :class:`Raster`."""
    return Image.fromarray(pixels) if pixels.dtype == np.uint8 else pixels


def require_size(width_px: int, height_px: int, *, max_pixels: int) -> None:
    """Refuses an image that claims more than ``max_pixels``, before any is decoded.

    Raises:
        ImageError: ``too_large``; or ``corrupt`` where a side is zero.
    """
    if width_px < 1 or height_px < 1:
        raise ImageError(
            f"the header gives a size of {width_px} by {height_px} pixels",
            code="corrupt",
            next_step="Copy it again from its source.",
        )
    if width_px * height_px > max_pixels:
        raise ImageError(
            f"the image has {width_px:,} by {height_px:,} pixels, "
            f"more than the {max_pixels:,} allowed",
            code="too_large",
            next_step="Make it smaller, or raise max_pixels if you trust its source.",
        )


Triple = tuple[float, float, float]


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
