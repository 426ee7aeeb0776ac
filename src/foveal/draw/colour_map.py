"""The colours of a heat map: alone, and over an image whose brightness stays.

One path through OKLab serves both: from a dark neutral grey over a dull red to a light
amber, travelled at even speed. Its lightness only rises, so the order survives colour
blindness and a black-and-white print. Over an image the lightness belongs to the image;
of the path only hue and chroma are used, at the image's own luminance.

In OKLab equal steps look equal. It and its matrices: Ottosson 2020, "A perceptual color space
for image processing" (bottosson.github.io/posts/oklab). sRGB and its luminance: IEC 61966-2-1.
CIE lightness: CIE 15:2004, 8.2.1.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)
# Of the sRGB primaries under D65 (IEC 61966-2-1).
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_LINEAR_BELOW = 0.0031308


def encode(linear: NDArray[Any]) -> Colours:
    """Returns sRGB in [0, 1] of linear light, cut off at the gamut."""
    cut: Colours = np.clip(np.asarray(linear, np.float64), 0.0, 1.0)
    return np.where(cut <= _LINEAR_BELOW, 12.92 * cut, 1.055 * cut ** (1 / 2.4) - 0.055)


def decode(encoded: NDArray[Any]) -> Colours:
    """Returns linear light of sRGB in [0, 1]."""
    encoded = np.asarray(encoded, np.float64)
    bent: Colours = ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, bent)


def luminance(linear: NDArray[Any]) -> Colours:
    """Returns the relative luminance Y [...] of linear light [..., 3]."""
    result: Colours = linear @ _LUMINANCE
    return result


def lightness(y: NDArray[Any]) -> Colours:
    """Returns CIE lightness L*, from 0 to 100, of relative luminance."""
    y = np.asarray(y, np.float64)
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def luminance_of_lightness(star: NDArray[Any]) -> Colours:
    """Returns the relative luminance of CIE lightness L*."""
    star = np.asarray(star, np.float64)
    return np.where(star > 8, ((star + 16) / 116) ** 3, star * (3 / 29) ** 3)


def to_oklab(linear: NDArray[Any]) -> Colours:
    """Returns OKLab [..., 3] of linear light [..., 3]."""
    result: Colours = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return result


def from_oklab(lab: NDArray[Any]) -> Colours:
    """Returns linear light [..., 3] of OKLab [..., 3]; outside [0, 1] beyond the gamut."""
    result: Colours = (lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T
    return result


# Lightness, green-red and blue-yellow of the ends and of the point that bends the path.
_START = np.array([0.30, 0.0, 0.0])
_BEND = np.array([0.52, 0.11, 0.055])
_END = np.array([0.765, 0.088, 0.137])
_NUM_ON_PATH = 4096

# Black and white hold no colour, so the image gives up a little of either end.
_DARKEST, _LIGHTEST = 14.0, 92.0
_NUM_LEVELS, _NUM_VALUES = 65, 65
_NUM_HALVINGS = 24


def path(values: NDArray[np.float64]) -> Colours:
    """Returns OKLab [n, 3] for values in [0, 1]; equal steps are equally far apart."""
    at = np.linspace(0.0, 1.0, _NUM_ON_PATH)[:, None]
    curve = (1 - at) ** 2 * _START + 2 * at * (1 - at) * _BEND + at**2 * _END
    lengths = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    travelled /= travelled[-1]
    wanted = np.clip(values, 0.0, 1.0)
    return np.stack([np.interp(wanted, travelled, curve[:, axis]) for axis in range(3)], axis=-1)


def heat_colours(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns sRGB [..., 3] of a map without an image, for values in [0, 1]."""
    flat = encode(from_oklab(path(values.reshape(-1))))
    return np.rint(255 * flat).astype(np.uint8).reshape(*values.shape, 3)


def shown_luminance(y: NDArray[np.float64]) -> Colours:
    """Returns the luminance at which an image's luminance is shown under a map.

    Lightness L* from 0 to 100 becomes 14 to 92, so that black and white can take colour.
    The map has no part in it.
    """
    share = lightness(y) / 100
    return luminance_of_lightness(_DARKEST + share * (_LIGHTEST - _DARKEST))


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns an image in grey, tinted where the map has value; its brightness stays.

    Two pixels that were equally bright still are, whatever the map says of them.

    Args:
        pixels: [H, W] or [H, W, 3], sRGB.
        values: [H, W], in [0, 1].

    Returns:
        [H, W, 3].
    """
    linear = decode(np.arange(256) / 255)[pixels]
    y = linear if pixels.ndim == 2 else luminance(linear)
    levels, table = tint_table()
    # Linear in luminance, so that mixing two neighbours keeps it exactly.
    row = np.interp(shown_luminance(y), levels, np.arange(_NUM_LEVELS))
    column = np.clip(values, 0.0, 1.0) * (_NUM_VALUES - 1)
    top = np.minimum(row.astype(np.intp), _NUM_LEVELS - 2)
    left = np.minimum(column.astype(np.intp), _NUM_VALUES - 2)
    down, right = (row - top)[..., None], (column - left)[..., None]
    mixed = (1 - down) * ((1 - right) * table[top, left] + right * table[top, left + 1])
    mixed += down * ((1 - right) * table[top + 1, left] + right * table[top + 1, left + 1])
    return np.rint(255 * encode(mixed)).astype(np.uint8)


@cache
def tint_table() -> tuple[Colours, Colours]:
    """Returns luminances [n] and linear light [n, m, 3] by luminance and value.

    The chroma of the path is kept as far as a screen can show it at that luminance.
    """
    levels = shown_luminance(luminance_of_lightness(np.linspace(0.0, 100.0, _NUM_LEVELS)))
    tints = path(np.linspace(0.0, 1.0, _NUM_VALUES))[None, :, 1:]
    wanted = np.broadcast_to(levels[:, None], (_NUM_LEVELS, _NUM_VALUES))
    least, most = np.zeros(wanted.shape), np.ones(wanted.shape)
    for _ in range(_NUM_HALVINGS):
        share = (least + most) / 2
        colour = _at_luminance(wanted, share[..., None] * tints)
        fits = ((colour >= 0.0) & (colour <= 1.0)).all(-1)
        least, most = np.where(fits, share, least), np.where(fits, most, share)
    return levels, _at_luminance(wanted, least[..., None] * tints)


def _at_luminance(wanted: Colours, tint: Colours) -> Colours:
    """Returns linear light of OKLab's a and b [..., 2] at the lightness that gives Y."""
    low, high = np.zeros(wanted.shape), np.full(wanted.shape, 1.2)
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        y = luminance(from_oklab(np.concatenate([middle[..., None], tint], -1)))
        low, high = np.where(y < wanted, middle, low), np.where(y < wanted, high, middle)
    return from_oklab(np.concatenate([((low + high) / 2)[..., None], tint], -1))
