"""sRGB, its luminance, and OKLab, in which equal steps look equal.

OKLab and its matrices: Ottosson 2020, "A perceptual color space for image processing"
(bottosson.github.io/posts/oklab). sRGB: IEC 61966-2-1. CIE lightness: CIE 15:2004, 8.2.1.
"""

from __future__ import annotations

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
