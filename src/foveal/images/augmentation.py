"""Changed copies of an image to train on, by named policies.

Every copy is a function of the policy, a seed, the number of the view and the image's
digest, and of nothing else: what was computed once may be kept, and a training that was
stopped goes on with the very same images. View 0 is always the image as it is. Policies can be
joined by ``+`` and then change an image one after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from foveal.errors import UsageError
from foveal.images.auto_augment import MOST_DEGREES, auto_augment, trivial_augment
from foveal.images.pixel_changes import (
    Pixels,
    brightened,
    contrasted,
    erased,
    hue_turned,
    lit,
    saturated,
    square_cut_out,
    warped,
)
from foveal.images.pixels import Triple
from foveal.images.views import VIEWS, View, turn
from foveal.text import near_names

AUGMENTATION_VERSION: Final = 1
"""Raised whenever a policy would give other pixels; part of every key of what is kept."""

PolicyName = Literal[
    "none",
    "light",
    "xray",
    "any-orientation",
    "strong",
    "padded-crop",
    "flip",
    "crop",
    "jitter",
    "rotation",
    "cutout",
    "erasing",
    "auto-augment",
    "trivial-augment",
    "mixup",
    "cutmix",
]
Mixing = Literal["mixup", "cutmix"]
"""How images of one batch are mixed with their targets, which is done where batches are made."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to change images that leaves their class as it is.

    Attributes:
        name: What it is asked for by: a ``PolicyName``, or several joined by ``+``.
        description: What it does, in plain words.
        turns: The ways in which it may mirror or turn the whole image, whose result must not
            belong to another class.
        change: Takes pixels [C, H, W] in [0, 1], a source of random numbers and the number of
            the view, from 1 on.
        risk: Where it may change the class of an image otherwise, as a sentence; empty where
            nothing is known.
        mixings: How it mixes the images of a batch.
    """

    name: str
    description: str
    turns: tuple[View, ...]
    change: Callable[[Pixels, np.random.Generator, int], Pixels]
    risk: str = ""
    mixings: tuple[Mixing, ...] = ()

    @property
    def mirrors(self) -> bool:
        """Whether it may show the mirror image."""
        return not _MIRRORED.isdisjoint(self.turns)

    @property
    def has_views(self) -> bool:
        """Whether it changes single images at all."""
        return self.change is not _unchanged


def find_policy(name: str) -> Policy:
    """Returns the policy of that name, or those joined by ``+`` as one.

    Raises:
        UsageError: There is none; near names are offered.

    >>> find_policy("crop+cutmix").mixings
    ('cutmix',)
    """
    parts = [_find_row(part.strip()) for part in name.split("+")]
    if len(parts) == 1:
        return parts[0]
    changing = [part for part in parts if part.has_views]

    def change(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
        for part in changing:
            pixels = part.change(pixels, random, view)
        return pixels

    return Policy(
        "+".join(part.name for part in parts),
        " ".join(part.description for part in parts),
        tuple(dict.fromkeys(way for part in parts for way in part.turns)),
        change if changing else _unchanged,
        " ".join(dict.fromkeys(part.risk for part in parts if part.risk)),
        tuple(dict.fromkeys(mixing for part in parts for mixing in part.mixings)),
    )


def _find_row(name: str) -> Policy:
    for policy in POLICIES:
        if policy.name == name:
            return policy
    names = [policy.name for policy in POLICIES]
    near = near_names(name, names)
    raise UsageError(
        f"There is no augmentation named {name!r}.",
        next_step=f"Did you mean {near[0]}?"
        if near
        else f"Known, and joined by + where several are wanted: {', '.join(names)}.",
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
    if view == 0 or not policy.has_views:
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
    if view == 0 or not policy.has_views:
        return inputs
    centre = np.array(mean, np.float32)[:, None, None]
    scale = np.array(std, np.float32)[:, None, None]
    pixels = np.clip(inputs * scale + centre, 0.0, 1.0)
    changed = augment(pixels, policy, seed=seed, view=view, digest=digest)
    result: Pixels = ((changed - centre) / scale).astype(np.float32)
    return result


# --- the policies ------------------------------------------------------------------------


def _unchanged(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return pixels


def _light(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    if random.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    degrees, scale = random.uniform(-10, 10), random.uniform(0.95, 1.05)
    down, right = random.uniform(-0.05, 0.05, 2)
    moved = warped(pixels, degrees=degrees, scale=scale, down=down, right=right)
    return brightened(contrasted(moved, random.uniform(0.85, 1.15)), random.uniform(-0.1, 0.1))


def _xray(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    degrees, scale = random.uniform(-5, 5), random.uniform(0.97, 1.03)
    down, right = random.uniform(-0.03, 0.03, 2)
    moved = warped(pixels, degrees=degrees, scale=scale, down=down, right=right)
    return brightened(contrasted(moved, random.uniform(0.9, 1.1)), random.uniform(-0.05, 0.05))


def _any_orientation(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    is_square = pixels.shape[1] == pixels.shape[2]
    ways = VIEWS if is_square else ("identity", "hflip", "vflip", "rot180")
    turned = turn(pixels.transpose(1, 2, 0), ways[view % len(ways)]).transpose(2, 0, 1)
    if view < len(ways):
        return turned
    return brightened(contrasted(turned, random.uniform(0.9, 1.1)), random.uniform(-0.05, 0.05))


def _flipped(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return pixels[:, :, ::-1] if random.random() < 0.5 else pixels


def _cropped(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    height, width = pixels.shape[1:]
    most = max(1, height // 8), max(1, width // 8)
    padded = np.pad(pixels, ((0, 0), (most[0],) * 2, (most[1],) * 2))
    top, left = (int(random.integers(0, 2 * distance + 1)) for distance in most)
    return padded[:, top : top + height, left : left + width]


def _padded_crop(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return _cropped(_flipped(pixels, random, view), random, view)


def _jittered(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    light, contrast, colour = random.uniform(0.6, 1.4, 3)
    pixels = np.clip(lit(pixels, light), 0, 1)
    pixels = np.clip(contrasted(pixels, contrast), 0, 1)
    pixels = np.clip(saturated(pixels, colour), 0, 1)
    return hue_turned(pixels, random.uniform(-0.1, 0.1))


def _rotated(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return warped(pixels, degrees=random.uniform(-MOST_DEGREES, MOST_DEGREES))


def _cut_out(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return square_cut_out(pixels, random)


def _half_erased(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return erased(pixels, random) if random.random() < 0.5 else pixels


def _trivial(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return trivial_augment(pixels, random)


def _strong(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    pixels = _trivial(_flipped(pixels, random, view), random, view)
    return _half_erased(pixels, random, view)


def _auto_augmented(pixels: Pixels, random: np.random.Generator, view: int) -> Pixels:
    return auto_augment(pixels, random)


_MIRRORED: Final[frozenset[View]] = frozenset({"hflip", "vflip", "transpose", "transverse"})
_LEVELS_RISK: Final = (
    "It may invert light and dark, so classes that differ by brightness may be trained wrongly."
)
_COLOUR_RISK: Final = (
    "It changes brightness and colour, so classes that differ by these may be trained wrongly."
)
_HIDING_RISK: Final = (
    "It hides a part of the image, so a class that shows in one small place may be trained wrongly."
)
_TURNING_RISK: Final = (
    "It turns images by up to 30°, so classes that differ by a direction may be trained wrongly."
)

POLICIES: Final[tuple[Policy, ...]] = (
    Policy("none", "The image as it is.", (), _unchanged),
    Policy(
        "light",
        "Half of the views are mirrored left to right; moved by up to 5% of the side, turned by "
        "up to 10°, scaled by up to 5%; brightness changed by up to 10% of the range, contrast "
        "by up to 15%.",
        ("hflip",),
        _light,
    ),
    Policy(
        "xray",
        "Nothing that changes anatomy: never mirrored; moved by up to 3% of the side, turned by "
        "up to 5°, scaled by up to 3%; brightness changed by up to 5% of the range, contrast by "
        "up to 10%.",
        (),
        _xray,
    ),
    Policy(
        "any-orientation",
        "The eight ways to turn or mirror a square, for images without an up and a down; from "
        "the ninth view on also brightness by up to 5% of the range and contrast by up to 10%.",
        VIEWS[1:],
        _any_orientation,
    ),
    Policy(
        "strong",
        "Half of the views are mirrored left to right; one change of any strength (moved, "
        "turned, sheared, brightness, contrast, colour, sharpness, fewer grey levels, inverted "
        "lights, stretched or equalised levels: TrivialAugment); in half of the views a "
        "rectangle of 2 to 20% of the image is made grey.",
        ("hflip",),
        _strong,
        f"{_LEVELS_RISK} {_HIDING_RISK}",
    ),
    Policy(
        "padded-crop",
        "For small images: half of the views are mirrored left to right; moved by up to an "
        "eighth of the side, black where nothing was (He et al. 2016, section 4.2).",
        ("hflip",),
        _padded_crop,
    ),
    Policy("flip", "Half of the views are mirrored left to right.", ("hflip",), _flipped),
    Policy(
        "crop",
        "Moved by up to an eighth of the side, black where nothing was, and never mirrored.",
        (),
        _cropped,
    ),
    Policy(
        "jitter",
        "Brightness, contrast and saturation changed by up to 40%, hue by up to a tenth of the "
        "colour circle.",
        (),
        _jittered,
        _COLOUR_RISK,
    ),
    Policy("rotation", "Turned by up to 30° about its centre.", (), _rotated, _TURNING_RISK),
    Policy(
        "cutout",
        "A square of half the side, anywhere, is made grey (DeVries & Taylor 2017).",
        (),
        _cut_out,
        _HIDING_RISK,
    ),
    Policy(
        "erasing",
        "In half of the views a rectangle of 2 to 20% of the image is made grey (Zhong et al. "
        "2020).",
        (),
        _half_erased,
        _HIDING_RISK,
    ),
    Policy(
        "auto-augment",
        "One of 25 pairs of changes that were found on ImageNet: turned by up to 30°, sheared, "
        "colour, contrast, sharpness, fewer grey levels, inverted, stretched or equalised levels "
        "(Cubuk et al. 2019).",
        (),
        _auto_augmented,
        f"{_LEVELS_RISK} {_TURNING_RISK}",
    ),
    Policy(
        "trivial-augment",
        "One change of any strength: moved, turned by up to 30°, sheared, brightness, contrast, "
        "colour, sharpness, fewer grey levels, inverted lights, stretched or equalised levels "
        "(Müller & Hutter 2021).",
        (),
        _trivial,
        f"{_LEVELS_RISK} {_TURNING_RISK}",
    ),
    Policy(
        "mixup",
        "Every image of a batch is averaged with another by a random weight, and their labels by "
        "the same one (Zhang et al. 2018).",
        (),
        _unchanged,
        mixings=("mixup",),
    ),
    Policy(
        "cutmix",
        "A rectangle of every image of a batch is replaced by that of another, and the label by "
        "the same share of the area (Yun et al. 2019).",
        (),
        _unchanged,
        _HIDING_RISK,
        mixings=("cutmix",),
    ),
)
"""Every policy; ``PolicyName`` names them in the same order."""
