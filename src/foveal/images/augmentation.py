"""Changed copies of an image to train on, by named policies.

Every copy is a function of the policy, a seed, the number of the view and the image's
digest, and of nothing else: what was computed once may be kept, and a training that was
stopped goes on with the very same images. View 0 is always the image as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.images.pixels import Triple
from foveal.images.views import VIEWS, turn
from foveal.text import near_names

Pixels = NDArray[np.float32]

AUGMENTATION_VERSION: Final = 1
"""Raised whenever a policy would give other pixels; part of every key of what is kept."""

PolicyName = Literal["none", "light", "xray", "any-orientation", "strong", "padded-crop"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to change images that leaves their class as it is.

    Attributes:
        name: What it is asked for by.
        description: What it does, in plain words.
        mirrors: Whether it may show the mirror image, which must not belong to another class.
        change: Takes pixels [3, H, W] in [0, 1], a source of random numbers and the number of
            the view, from 1 on.
    """

    name: PolicyName
    description: str
    mirrors: bool
    change: Callable[[Pixels, np.random.Generator, int], Pixels]


def find_policy(name: str) -> Policy:
    """Returns the policy of that name.

    Raises:
        UsageError: There is none; near names are offered.
    """
    for policy in POLICIES:
        if policy.name == name:
            return policy
    names = [policy.name for policy in POLICIES]
    near = near_names(name, names)
    raise UsageError(
        f"There is no augmentation named {name!r}.",
        next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}.",
    )


def augment(pixels: Pixels, policy: Policy, *, seed: int, view: int, digest: str) -> Pixels:
    """Returns one view of an image.

    Args:
        pixels: [3, H, W] in [0, 1].
        policy: What may change.
        seed: Of the whole training.
        view: Number of the view; 0 is the image itself.
        digest: Of the image's file.

    Returns:
        [3, H, W] in [0, 1], C-contiguous.
    """
    if view == 0 or policy.name == "none":
        return pixels
    text = f"{AUGMENTATION_VERSION}\0{policy.name}\0{seed}\0{view}\0{digest}"
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))
    # A grey image is changed once, not three times.
    is_grey = bool((pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all())
    changed = policy.change(pixels[:1] if is_grey else pixels, random, view)
    if is_grey:
        changed = np.broadcast_to(changed, pixels.shape)
    return np.ascontiguousarray(np.clip(changed, 0.0, 1.0), np.float32)


def augment_normalised(
    inputs: Pixels,
    policy: Policy,
    *,
    seed: int,
    view: int,
    digest: str,
    mean: Triple,
    std: Triple,
) -> Pixels:
    """Does the same with a network's input [3, H, W], which is ``(pixels - mean) / std``."""
    if view == 0 or policy.name == "none":
        return inputs
    centre = np.array(mean, np.float32)[:, None, None]
    scale = np.array(std, np.float32)[:, None, None]
    pixels = np.clip(inputs * scale + centre, 0.0, 1.0)
    changed = augment(pixels, policy, seed=seed, view=view, digest=digest)
    result: Pixels = ((changed - centre) / scale).astype(np.float32)
    return result


# --- what an image can go through ---------------------------------------------------------


def _warped(
    pixels: Pixels,
    *,
    degrees: float = 0.0,
    scale: float = 1.0,
    down: float = 0.0,
    right: float = 0.0,
    shear_x: float = 0.0,
    shear_y: float = 0.0,
) -> Pixels:
    """Returns [C, H, W] turned, scaled, sheared and moved about its centre.

    ``down`` and ``right`` are shares of the side. Values between pixels are interpolated
    linearly; beyond the edge the image is mirrored, so that no false edge arises.
    """
    from scipy import ndimage

    height, width = pixels.shape[1:]
    angle = np.deg2rad(degrees)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turned @ np.array([[1.0, shear_y], [shear_x, 1.0]]) / scale
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = centre - matrix @ (centre + np.array([down * height, right * width]))
    result = np.empty_like(pixels)
    for plane, output in zip(pixels, result, strict=True):
        ndimage.affine_transform(plane, matrix, offset, output=output, order=1, mode="mirror")
    return result


def _brightened(pixels: Pixels, amount: float) -> Pixels:
    return pixels + np.float32(amount)


def _contrasted(pixels: Pixels, factor: float) -> Pixels:
    centre = pixels.mean(dtype=np.float64)
    result: Pixels = ((pixels - centre) * factor + centre).astype(np.float32)
    return result


def _saturated(pixels: Pixels, factor: float) -> Pixels:
    result: Pixels = (pixels - pixels.mean(0)) * np.float32(factor) + pixels.mean(0)
    return result


def _sharpened(pixels: Pixels, factor: float) -> Pixels:
    from scipy import ndimage

    smooth = ndimage.uniform_filter(pixels, size=(1, 3, 3), mode="mirror")
    result: Pixels = smooth + (pixels - smooth) * np.float32(factor)
    return result


def _posterised(pixels: Pixels, num_bits: int) -> Pixels:
    levels = np.float32(2**num_bits)
    result: Pixels = np.minimum(np.floor(pixels * levels), levels - 1) / (levels - 1)
    return result


def _solarised(pixels: Pixels, threshold: float) -> Pixels:
    return np.where(pixels >= threshold, np.float32(1.0) - pixels, pixels)


def _stretched(pixels: Pixels) -> Pixels:
    low, high = float(pixels.min()), float(pixels.max())
    return pixels if high <= low else (pixels - np.float32(low)) / np.float32(high - low)


def _equalised(pixels: Pixels) -> Pixels:
    levels = (np.clip(pixels, 0, 1) * 255).astype(np.int64)
    counts = np.bincount(levels.ravel(), minlength=256).cumsum()
    least = counts[np.flatnonzero(counts)[0]]
    if counts[-1] == least:
        return pixels
    table = ((counts - least) / (counts[-1] - least)).astype(np.float32)
    result: Pixels = table[levels]
    return result


def _erased(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Returns the image with one rectangle of 2 to 20% of it made mid-grey."""
    height, width = pixels.shape[1:]
    share, ratio = random.uniform(0.02, 0.2), np.exp(random.uniform(np.log(0.4), np.log(2.5)))
    rows = int(np.clip(round((share * ratio) ** 0.5 * height), 1, height))
    columns = int(np.clip(round((share / ratio) ** 0.5 * width), 1, width))
    top, left = (int(random.integers(0, n + 1)) for n in (height - rows, width - columns))
    changed = pixels.copy()
    changed[:, top : top + rows, left : left + columns] = 0.5
    return changed


# --- the policies ------------------------------------------------------------------------


def _unchanged(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return pixels


def _light(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    if random.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    degrees, scale = random.uniform(-10, 10), random.uniform(0.95, 1.05)
    down, right = random.uniform(-0.05, 0.05, 2)
    moved = _warped(pixels, degrees=degrees, scale=scale, down=down, right=right)
    return _brightened(_contrasted(moved, random.uniform(0.85, 1.15)), random.uniform(-0.1, 0.1))


def _xray(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    degrees, scale = random.uniform(-5, 5), random.uniform(0.97, 1.03)
    down, right = random.uniform(-0.03, 0.03, 2)
    moved = _warped(pixels, degrees=degrees, scale=scale, down=down, right=right)
    return _brightened(_contrasted(moved, random.uniform(0.9, 1.1)), random.uniform(-0.05, 0.05))


def _any_orientation(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    is_square = pixels.shape[1] == pixels.shape[2]
    ways = VIEWS if is_square else ("identity", "hflip", "vflip", "rot180")
    turned = turn(pixels.transpose(1, 2, 0), ways[view % len(ways)]).transpose(2, 0, 1)
    if view < len(ways):
        return turned
    return _brightened(_contrasted(turned, random.uniform(0.9, 1.1)), random.uniform(-0.05, 0.05))


def _padded_crop(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    if random.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    height, width = pixels.shape[1:]
    most = max(1, height // 8), max(1, width // 8)
    padded = np.pad(pixels, ((0, 0), (most[0],) * 2, (most[1],) * 2))
    top, left = (int(random.integers(0, 2 * distance + 1)) for distance in most)
    return padded[:, top : top + height, left : left + width]


def _strong(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    if random.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    change = _TRIVIAL[int(random.integers(len(_TRIVIAL)))]
    strength, sign = random.random(), 1.0 if random.random() < 0.5 else -1.0
    pixels = change(pixels, float(strength), sign)
    return _erased(pixels, random) if random.random() < 0.5 else pixels


# TrivialAugment (Müller & Hutter 2021, arXiv 2103.10158): one change, of any strength.
_TRIVIAL: Final[tuple[Callable[[Pixels, float, float], Pixels], ...]] = (
    lambda pixels, strength, sign: pixels,
    lambda pixels, strength, sign: _warped(pixels, shear_x=0.3 * sign * strength),
    lambda pixels, strength, sign: _warped(pixels, shear_y=0.3 * sign * strength),
    lambda pixels, strength, sign: _warped(pixels, right=0.15 * sign * strength),
    lambda pixels, strength, sign: _warped(pixels, down=0.15 * sign * strength),
    lambda pixels, strength, sign: _warped(pixels, degrees=30 * sign * strength),
    lambda pixels, strength, sign: _brightened(pixels, 0.4 * sign * strength),
    lambda pixels, strength, sign: _contrasted(pixels, 1 + 0.8 * sign * strength),
    lambda pixels, strength, sign: _saturated(pixels, 1 + 0.8 * sign * strength),
    lambda pixels, strength, sign: _sharpened(pixels, 1 + 0.9 * sign * strength),
    lambda pixels, strength, sign: _posterised(pixels, 8 - round(5 * strength)),
    lambda pixels, strength, sign: _solarised(pixels, 1 - 0.5 * strength),
    lambda pixels, strength, sign: _stretched(pixels),
    lambda pixels, strength, sign: _equalised(pixels),
)

POLICIES: Final[tuple[Policy, ...]] = (
    Policy("none", "The image as it is.", False, _unchanged),
    Policy(
        "light",
        "Half of the views are mirrored left to right; moved by up to 5% of the side, turned by "
        "up to 10°, scaled by up to 5%; brightness changed by up to 10% of the range, contrast "
        "by up to 15%.",
        True,
        _light,
    ),
    Policy(
        "xray",
        "Nothing that changes anatomy: never mirrored; moved by up to 3% of the side, turned by "
        "up to 5°, scaled by up to 3%; brightness changed by up to 5% of the range, contrast by "
        "up to 10%.",
        False,
        _xray,
    ),
    Policy(
        "any-orientation",
        "The eight ways to turn or mirror a square, for images without an up and a down; from "
        "the ninth view on also brightness by up to 5% of the range and contrast by up to 10%.",
        True,
        _any_orientation,
    ),
    Policy(
        "strong",
        "Half of the views are mirrored left to right; one change of any strength (moved, "
        "turned, sheared, brightness, contrast, colour, sharpness, fewer grey levels, inverted "
        "lights, stretched or equalised levels: TrivialAugment); in half of the views a "
        "rectangle of 2 to 20% of the image is made grey.",
        True,
        _strong,
    ),
    Policy(
        "padded-crop",
        "For small images: half of the views are mirrored left to right; moved by up to an "
        "eighth of the side, black where nothing was (He et al. 2016, section 4.2).",
        True,
        _padded_crop,
    ),
)
"""Every policy; ``PolicyName`` names them in the same order."""
