"""Changes that are drawn from a table: TrivialAugment and AutoAugment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from foveal.images.pixel_changes import (
    Pixels,
    brightened,
    contrasted,
    equalised,
    posterised,
    saturated,
    sharpened,
    solarised,
    stretched,
    warped,
)

MOST_DEGREES: Final = 30.0

# TrivialAugment (Müller & Hutter 2021, arXiv 2103.10158): one change, of any strength.
_TRIVIAL: Final[tuple[Callable[[Pixels, float, float], Pixels], ...]] = (
    lambda pixels, strength, sign: pixels,
    lambda pixels, strength, sign: warped(pixels, shear_x=0.3 * sign * strength),
    lambda pixels, strength, sign: warped(pixels, shear_y=0.3 * sign * strength),
    lambda pixels, strength, sign: warped(pixels, right=0.15 * sign * strength),
    lambda pixels, strength, sign: warped(pixels, down=0.15 * sign * strength),
    lambda pixels, strength, sign: warped(pixels, degrees=MOST_DEGREES * sign * strength),
    lambda pixels, strength, sign: brightened(pixels, 0.4 * sign * strength),
    lambda pixels, strength, sign: contrasted(pixels, 1 + 0.8 * sign * strength),
    lambda pixels, strength, sign: saturated(pixels, 1 + 0.8 * sign * strength),
    lambda pixels, strength, sign: sharpened(pixels, 1 + 0.9 * sign * strength),
    lambda pixels, strength, sign: posterised(pixels, 8 - round(5 * strength)),
    lambda pixels, strength, sign: solarised(pixels, 1 - 0.5 * strength),
    lambda pixels, strength, sign: stretched(pixels),
    lambda pixels, strength, sign: equalised(pixels),
)

# AutoAugment (Cubuk et al. 2019, arXiv 1805.09501), the changes that it chooses from: by pixels,
# strength from 0 to 1 and sign.
_AUTO_CHANGES: Final[dict[str, Callable[[Pixels, float, float], Pixels]]] = {
    "ShearX": lambda pixels, strength, sign: warped(pixels, shear_x=0.3 * sign * strength),
    "Rotate": lambda pixels, strength, sign: warped(pixels, degrees=MOST_DEGREES * sign * strength),
    "Color": lambda pixels, strength, sign: saturated(pixels, 1 + 0.9 * sign * strength),
    "Contrast": lambda pixels, strength, sign: contrasted(pixels, 1 + 0.9 * sign * strength),
    "Sharpness": lambda pixels, strength, sign: sharpened(pixels, 1 + 0.9 * sign * strength),
    "Posterize": lambda pixels, strength, sign: posterised(pixels, 8 - round(4 * strength)),
    "Solarize": lambda pixels, strength, sign: solarised(pixels, 1 - strength),
    "AutoContrast": lambda pixels, strength, sign: stretched(pixels),
    "Equalize": lambda pixels, strength, sign: equalised(pixels),
    "Invert": lambda pixels, strength, sign: np.float32(1) - pixels,
}

AutoStep = tuple[str, float, int | None]

AUTO_AUGMENT: Final[tuple[tuple[AutoStep, AutoStep], ...]] = (
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, None)),
    (("Equalize", 0.8, None), ("Equalize", 0.6, None)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, None), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, None), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, None)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, None)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, None), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, None)),
    (("Equalize", 0.0, None), ("Equalize", 0.8, None)),
    (("Invert", 0.6, None), ("Equalize", 1.0, None)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, None)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, None)),
    (("Color", 0.4, 0), ("Equalize", 0.6, None)),
    (("Equalize", 0.4, None), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, None)),
    (("Invert", 0.6, None), ("Equalize", 1.0, None)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, None), ("Equalize", 0.6, None)),
)
"""What the paper found on ImageNet: pairs of change, probability and magnitude from 0 to 9."""


def trivial_augment(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Returns [C, H, W] after one change of any strength."""
    change = _TRIVIAL[int(random.integers(len(_TRIVIAL)))]
    strength, sign = random.random(), 1.0 if random.random() < 0.5 else -1.0
    return change(pixels, float(strength), sign)


def auto_augment(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Returns [C, H, W] after one pair of changes, each with its probability."""
    for name, share, magnitude in AUTO_AUGMENT[int(random.integers(len(AUTO_AUGMENT)))]:
        is_done, sign = random.random() < share, 1.0 if random.random() < 0.5 else -1.0
        if is_done:
            pixels = np.clip(_AUTO_CHANGES[name](pixels, (magnitude or 0) / 9, sign), 0, 1)
    return pixels
