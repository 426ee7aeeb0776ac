"""Images with more than 8 bits a sample, as Pillow holds them.

Gray ones (16-bit, 32-bit integer, float) Pillow decodes in full. Of 16-bit colour it keeps
the high bytes alone. Its unpackers for the other byte order keep exactly the low bytes, so
decoding twice gives all sixteen bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from foveal.images.faults import unsupported
from foveal.images.window import Stretched, Window, stretch

_GRAY_MODES: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_PHOTOMETRIC: Final = 262
_SAMPLE_FORMAT: Final = 339
_PLANAR_CONFIGURATION: Final = 284
_WHITE_IS_ZERO: Final = 0
_UNSIGNED: Final = 1
_BAND_ROWS: Final = 256

# Which raw mode keeps the bytes that the first one leaves out. N is the machine's own
# order, little-endian on every machine that PyTorch supports.
_OTHER_BYTE: Final = {
    f"{bands};16{order}": f"{bands};16{other}"
    for bands in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B"))
}


@dataclass(frozen=True, slots=True, eq=False)
class SecondPass:
    """What a second decoding of 16-bit colour brought.

    ``"low bytes"`` go with the high bytes of the first decoding. ``"gray and alpha"`` has no
    twin among the unpackers but is as wide as RGBA: its bands are the four raw bytes, gray
    high and low, alpha high and low.
    """

    image: Image.Image
    holds: Literal["low bytes", "gray and alpha"]


def decode_low_bytes(
    image: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile]
) -> SecondPass | None:
    """Decodes 16-bit colour a second time, or returns ``None`` where there is nothing to gain.

    Args:
        image: Opened, but not yet loaded: its tiles tell how the samples lie.
        reopen: Opens the same data once more.

    Raises:
        ImageError: ``unsupported_format`` for uncompressed 16-bit planes, which Pillow
            takes for 8-bit ones and decodes to noise.
    """
    is_planar = getattr(image, "tag_v2", {}).get(_PLANAR_CONFIGURATION) == 2
    if is_planar:
        bits: Any = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        if max(bits) > 8 and image.tile and image.tile[0].codec_name == "raw":
            raise unsupported("a TIFF of uncompressed 16-bit colour planes")
        return None
    raw_mode = _raw_mode(image.tile[0]) if image.tile else None
    if raw_mode == "LA;16B":
        return SecondPass(_load_as(reopen(), "RGBA"), "gray and alpha")
    if raw_mode in _OTHER_BYTE:
        return SecondPass(_load_as(reopen(), _OTHER_BYTE[raw_mode]), "low bytes")
    return None


def is_deep_gray(image: Image.Image) -> bool:
    """Whether Pillow holds the image in more than 8 bits by itself."""
    return image.mode in _GRAY_MODES


def stretch_gray(upright: Image.Image, source: ImageFile.ImageFile, window: Window) -> Stretched:
    """Stretches a deep gray image to [0, 1].

    Args:
        upright: The image to stretch.
        source: The file it came from, for its tags.
        window: The percentiles.
    """
    levels: NDArray[Any] = np.asarray(upright)
    levels = levels.astype(levels.dtype.newbyteorder("="), copy=False)
    tags: Any = getattr(source, "tag_v2", {})
    if levels.dtype == np.int32 and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED and tags:
        # Unsigned 16-bit levels have a mode of their own; these are 32 bits, read as signed.
        levels = levels.view(np.uint32)
    is_inverted = bool(tags) and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    key = source.info.get("transparency")
    alpha = None if key is None else np.where(levels == key, np.float32(0), np.float32(1))
    return _stretch_on_white(levels, alpha, window, "inverted" if is_inverted else "normal")


def stretch_colour(
    upright: Image.Image, second: SecondPass, source: ImageFile.ImageFile, window: Window
) -> Stretched:
    """Stretches 16-bit colour, or 16-bit gray with alpha, to [0, 1].

    Args:
        upright: The first decoding, which holds the high bytes.
        second: The second one, upright too.
        source: The file they came from.
        window: The percentiles, taken over all channels together so that hues stay.
    """
    is_gray = second.holds == "gray and alpha"
    size = (upright.height, upright.width)
    levels = np.empty(size if is_gray else (*size, 3), np.uint16)
    key = source.info.get("transparency")
    has_alpha = is_gray or key is not None or upright.mode == "RGBA"
    alpha = np.empty(size, np.float32) if has_alpha else None
    for top in range(0, size[0], _BAND_ROWS):  # putting bytes together takes many copies
        box = (0, top, size[1], min(size[0], top + _BAND_ROWS))
        rows = slice(top, box[3])
        low = np.asarray(second.image.crop(box)).astype(np.uint16)
        if is_gray:
            samples = low[..., 0::2] << 8 | low[..., 1::2]
            levels[rows], coverage = samples[..., 0], samples[..., 1]
        else:
            samples = np.asarray(upright.crop(box)).astype(np.uint16) << 8 | low
            levels[rows], coverage = samples[..., :3], samples[..., -1]
        if alpha is not None:
            if key is not None and not is_gray:
                is_key = (levels[rows] == np.asarray(key)).all(axis=-1)
                coverage = np.where(is_key, np.uint16(0), np.uint16(65535))
            alpha[rows] = _fraction(coverage)
    return _stretch_on_white(levels, alpha, window, "normal")


def _stretch_on_white(
    levels: NDArray[Any],
    alpha: NDArray[np.float32] | None,
    window: Window,
    polarity: Literal["normal", "inverted"],
) -> Stretched:
    if alpha is None or float(alpha.min()) == 1:
        return stretch(levels, window, polarity=polarity)
    stretched = stretch(levels, window, ignored=alpha == 0, polarity=polarity)
    if levels.ndim == 3:
        alpha = alpha[..., None]
    values = stretched.values
    values *= alpha
    values += np.float32(1) - alpha
    notes = (*stretched.notes, "Transparent pixels are shown on white.")
    return Stretched(values, notes, stretched.summary)


def _fraction(coverage: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(coverage, np.float32) / np.float32(65535)


def _raw_mode(tile: ImageFile._Tile) -> str | None:
    arguments = tile.args
    return arguments if isinstance(arguments, str) else arguments[0] if arguments else None


def _load_as(image: ImageFile.ImageFile, raw_mode: str) -> Image.Image:
    image.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile
    ]
    image.load()
    return image
